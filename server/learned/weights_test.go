package learned

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/server/shop"
)

func withWeights(t *testing.T, write bundle.Payload) *bundle.Bundle {
	t.Helper()
	w := tower(1, func(*causal.Config) {})
	m := bundle.Manifest{Created: time.Unix(1, 0), TextEncoder: bundle.Space{Name: "e", Dim: textDim}, BehaviourDim: w.Config.Dim}
	b, err := bundle.Write(t.TempDir(), m, map[string]bundle.Payload{
		bundle.BehaviourFile: func(to io.Writer) error { return causal.Write(to, w) },
		bundle.ItemsFile:     func(to io.Writer) error { return bundle.WriteItems(to, ids()) },
		bundle.RankerFile:    write,
	}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWeightsOfTheRankerComeWithTheModel(t *testing.T) {
	want := ranker.DefaultWeights()
	want[ranker.UserSimilarity] = 7
	m, err := Load(withWeights(t, func(w io.Writer) error { return holdout.Write(w, want) }))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := m.(shop.Weighed); !ok || got.Weights() != want {
		t.Errorf("%v, want weights %v", m, want)
	}
	m, err = Load(pack(t, ids(), nil, tower(1, func(*causal.Config) {})))
	if _, ok := m.(shop.Weighed); ok || err != nil {
		t.Errorf("a bundle without weights has some, or %v", err)
	}
}

func TestWeightsOfAnUnknownFeatureAreUnfit(t *testing.T) {
	_, err := Load(withWeights(t, func(w io.Writer) error { _, err := io.WriteString(w, `{"weights":{"charm":1}}`); return err }))
	if !errors.Is(err, shop.ErrUnfit) || !errors.Is(err, ranker.ErrWeights) {
		t.Errorf("%v, want ErrUnfit and ErrWeights", err)
	}
}
