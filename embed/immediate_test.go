package embed_test

import (
	"testing"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
)

type silent struct{ embed.Encoder }

type asking struct {
	embed.Encoder
	queries embed.Encoder
}

func (a asking) Queries() embed.Encoder { return a.queries }

func TestAnEncoderThatSaysNothingIsSlowAndEncodesItsQueries(t *testing.T) {
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	if !embed.IsImmediate(table) || embed.IsImmediate(silent{table}) {
		t.Error("the table is immediate, one that does not say so is not")
	}
	if got := embed.QueriesOf(silent{table}); got != (silent{table}) {
		t.Errorf("queries go to %v", got)
	}
	if got := embed.QueriesOf(asking{silent{table}, table}); got != embed.Encoder(table) {
		t.Errorf("queries go to %v", got)
	}
}
