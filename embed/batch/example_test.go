package batch_test

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/static"
)

func Example() {
	table, err := static.Default()
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	b, err := batch.New(table, batch.Config{})
	if err != nil {
		panic(err)
	}
	defer b.Close(ctx)

	texts := []string{"desk lamp", "ink cartridge", ""}
	out := make([]float32, len(texts)*b.Info().Dim)
	receipt, err := b.Do(ctx, batch.Call{Lane: batch.Interactive, Texts: texts}, out)
	fmt.Println(err, receipt.Truncated, b.Stats().Texts)
	// Output: <nil> 0 3
}
