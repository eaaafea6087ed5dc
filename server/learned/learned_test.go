package learned

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

const textDim = 24

// tower is one of random weights over 30 items.
func tower(seed uint64, edit func(*causal.Config)) causal.Tower {
	c := causal.DefaultConfig(30, textDim)
	c.Dim, c.FeedForward, c.Window = 32, 48, 12
	edit(&c)
	w, flat := causal.NewWeights(c)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range flat {
		flat[i] = float32(r.NormFloat64() / 4)
	}
	return causal.Tower{Config: c, Weights: w}
}

func ids() []string {
	var list []string
	for i := range 30 {
		list = append(list, fmt.Sprint("item-", i))
	}
	return list
}

// pack makes a bundle of towers.
func pack(t testing.TB, items []string, edit func(*bundle.Manifest), towers ...causal.Tower) *bundle.Bundle {
	t.Helper()
	dim := 0
	for _, w := range towers {
		dim += w.Config.Dim
	}
	m := bundle.Manifest{Created: time.Unix(1, 0), TextEncoder: bundle.Space{Name: "e", Dim: textDim}, BehaviourDim: dim}
	if edit != nil {
		edit(&m)
	}
	b, err := bundle.Write(t.TempDir(), m, map[string]bundle.Payload{
		bundle.BehaviourFile: func(w io.Writer) error { return causal.Write(w, towers...) },
		bundle.ItemsFile:     func(w io.Writer) error { return bundle.WriteItems(w, items) },
	}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unitText(r *rand.Rand) []float32 {
	v := make([]float32, textDim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	n := float32(math.Sqrt(inner(v, v)))
	for i := range v {
		v[i] /= n
	}
	return v
}

func inner(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// kinds are the shapes of encoders that are served.
var kinds = map[string][]causal.Tower{
	"inner products": {tower(1, func(*causal.Config) {})},
	"cosines":        {tower(2, func(c *causal.Config) { c.Scale = 10 })},
	"two towers":     {tower(3, func(c *causal.Config) { c.Window = 5 }), tower(4, func(c *causal.Config) { c.PreNorm, c.Dim = true, 64 })},
	"two of cosines": {tower(5, func(c *causal.Config) { c.Scale = 20 }), tower(6, func(c *causal.Config) { c.Scale, c.Position = 5, causal.FromEnd })},
	"texts alone":    {tower(7, func(c *causal.Config) { c.Items = 0 })},
}

// TestVectorsOrderItemsAsTheEncoderDoes compares all scores of random histories with
// those that the encoder itself gives.
func TestVectorsOrderItemsAsTheEncoderDoes(t *testing.T) {
	for name, towers := range kinds {
		t.Run(name, func(t *testing.T) {
			m, err := Load(pack(t, ids(), nil, towers...))
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(9, 9))
			texts, served, raw := map[string][]float32{}, map[string][]float32{}, map[string][]float32{}
			all := append(ids(), "new-1", "new-2", "new-3")
			for i, id := range all {
				texts[id] = unitText(r)
				served[id] = make([]float32, m.Dim())
				if !m.ItemVector(served[id], texts[id], id) {
					t.Fatalf("%s has no vector", id)
				}
				if n := inner(served[id], served[id]); math.Abs(n-1) > 1e-5 {
					t.Errorf("%s has length² %v", id, n)
				}
				raw[id] = rawItem(t, towers, texts[id], i)
			}
			for range 20 {
				var acts []shop.Act
				var events []causal.Event
				for range 1 + r.IntN(12) {
					n := r.IntN(len(all))
					acts = append(acts, shop.Act{Item: all[n], Text: texts[all[n]], Vector: served[all[n]], Weight: 1})
					events = append(events, causal.Event{Item: number(n), Text: texts[all[n]]})
					acts = append(acts, shop.Act{Item: all[0], Text: texts[all[0]], Weight: -1}) // says nothing
				}
				user, want := make([]float32, m.Dim()), rawUser(t, towers, events)
				if !m.Encode(user, acts) {
					t.Fatal("no user vector")
				}
				if n := inner(user, user); math.Abs(n-1) > 1e-5 {
					t.Errorf("the user has length² %v", n)
				}
				got := slices.Clone(all)
				slices.SortFunc(got, func(a, b string) int { return cmpDown(inner(user, served[a]), inner(user, served[b])) })
				for i := 1; i < len(got); i++ {
					a, b := inner(want, raw[got[i-1]]), inner(want, raw[got[i]])
					if a < b-1e-4*(1+math.Abs(b)) {
						t.Fatalf("%s before %s, the encoder scores %v and %v", got[i-1], got[i], a, b)
					}
				}
			}
		})
	}
}

// number is the row of an item; those past the table have none.
func number(n int) int {
	if n >= 30 {
		return -1
	}
	return n
}

func cmpDown(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

func rawItem(t *testing.T, towers []causal.Tower, text []float32, n int) (out []float32) {
	t.Helper()
	for _, w := range towers {
		e, err := causal.NewEncoder(w)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, w.Config.Dim)
		if _, err := e.Item(v, text, number(n)); err != nil {
			t.Fatal(err)
		}
		out = append(out, v...)
	}
	return out
}

func rawUser(t *testing.T, towers []causal.Tower, events []causal.Event) (out []float32) {
	t.Helper()
	for _, w := range towers {
		e, err := causal.NewEncoder(w)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, w.Config.Dim)
		last := events[max(0, len(events)-w.Config.Window):]
		if err := e.Encode(e.NewScratch(), e.NewState(), v, last, 0); err != nil {
			t.Fatal(err)
		}
		out = append(out, v...)
	}
	return out
}

func TestWhatIsNotKnownHasNoVector(t *testing.T) {
	m, err := Load(pack(t, ids(), nil, kinds["inner products"]...))
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, m.Dim())
	if m.ItemVector(v, nil, "new") {
		t.Error("an item without text and residual has a vector")
	}
	if !m.ItemVector(v, nil, "item-3") {
		t.Error("an item with a residual alone has none")
	}
	for what, acts := range map[string][]shop.Act{
		"nothing": nil, "an unknown item": {{Item: "new", Weight: 1}}, "a dislike": {{Item: "item-1", Weight: -1}},
	} {
		if m.Encode(v, acts) || inner(v, v) != 0 {
			t.Errorf("%s makes a vector", what)
		}
	}
	if !m.Encode(v, []shop.Act{{Item: "new", Weight: 1}, {Item: "item-1", Weight: 1}}) || m.Window() != 12 {
		t.Error("a known item beside an unknown one makes none")
	}
}

func TestCallsAtOnceGiveTheSame(t *testing.T) {
	m, err := Load(pack(t, ids(), nil, kinds["two towers"]...))
	if err != nil {
		t.Fatal(err)
	}
	acts := []shop.Act{{Item: "item-1", Weight: 1}, {Item: "item-2", Weight: 1}}
	want := make([]float32, m.Dim())
	m.Encode(want, acts)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			got := make([]float32, m.Dim())
			for i := range 50 {
				m.Encode(got, []shop.Act{{Item: fmt.Sprint("item-", (w+i)%30), Weight: 1}})
				if m.Encode(got, acts); !slices.Equal(got, want) {
					t.Error("another vector")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEncodersThatDoNotGoTogetherAreRefusedByName(t *testing.T) {
	plain := kinds["inner products"][0]
	for what, c := range map[string]struct {
		towers []causal.Tower
		items  []string
		edit   func(*bundle.Manifest)
		want   error
		says   string
	}{
		"dimension": {[]causal.Tower{plain}, ids(), func(m *bundle.Manifest) { m.BehaviourDim = 33 }, shop.ErrUnfit, "dimension 32, its manifest says 33"},
		"texts":     {[]causal.Tower{plain}, ids(), func(m *bundle.Manifest) { m.TextEncoder.Dim = 7 }, shop.ErrUnfit, "texts of dimension 24"},
		"kinds":     {[]causal.Tower{tower(1, func(c *causal.Config) { c.Types = 3 })}, ids(), nil, learned.ErrModel, "3 types, the numbering 0"},
		"items":     {[]causal.Tower{plain, tower(1, func(c *causal.Config) { c.Items = 4 })}, ids(), nil, learned.ErrModel, "rows of 4 items, there are ids of 30"},
		"few ids":   {[]causal.Tower{plain}, ids()[:29], nil, learned.ErrModel, "rows of 30 items, there are ids of 29"},
		"many ids":  {[]causal.Tower{plain}, append(ids(), "more"), nil, learned.ErrModel, "rows of 30 items, there are ids of 31"},
	} {
		if _, err := Load(pack(t, c.items, c.edit, c.towers...)); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	b, err := bundle.Write(t.TempDir(), bundle.Manifest{Created: time.Unix(1, 0)}, map[string]bundle.Payload{
		bundle.BehaviourFile: func(w io.Writer) error { _, err := io.Copy(w, bytes.NewReader(make([]byte, 100))); return err },
	}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(b); !errors.Is(err, learned.ErrFormat) {
		t.Errorf("no weights: %v", err)
	}
}

// TestActsHaveTheNamesOfTheirTypes trains nothing: an encoder of types sees what was done.
func TestActsHaveTheNamesOfTheirTypes(t *testing.T) {
	for want, a := range map[string]shop.Act{
		record.TypeView: {Kind: ranker.Viewed, Weight: 1}, record.TypeDislike: {Kind: ranker.Viewed, Weight: -2}, record.TypeClick: {Kind: ranker.Clicked},
		record.TypeLike: {Kind: ranker.Liked}, record.TypeAddToCart: {Kind: ranker.Carted}, record.TypePurchase: {Kind: ranker.Purchased},
		record.TypeRating: {Kind: ranker.Rated, Weight: -1}, record.TypeComment: {Kind: ranker.Commented}, record.TypeShare: {Kind: ranker.Shared},
	} {
		if got := typeOf(&a); got != want {
			t.Errorf("%+v is named %q, want %q", a, got, want)
		}
	}
	typed := tower(8, func(c *causal.Config) { c.Types = 2 })
	model := learned.Model{Towers: []learned.Tower{{Tower: typed, Scale: 1}}, Items: ids(), Numbering: learned.Numbering{Types: []string{record.TypeView, record.TypePurchase}}}
	b, err := bundle.Write(t.TempDir(), bundle.Manifest{Created: time.Unix(1, 0), TextEncoder: bundle.Space{Dim: textDim}, BehaviourDim: 32}, model.Payloads(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(b)
	if err != nil {
		t.Fatal(err)
	}
	viewed, bought, shared := make([]float32, m.Dim()), make([]float32, m.Dim()), make([]float32, m.Dim())
	if !m.Encode(viewed, []shop.Act{{Item: "item-1", Kind: ranker.Viewed, Weight: 1}}) || !m.Encode(bought, []shop.Act{{Item: "item-1", Kind: ranker.Purchased, Weight: 1}}) {
		t.Fatal("no user vector")
	}
	if slices.Equal(viewed, bought) {
		t.Error("a purchase is read as a view")
	}
	if m.Encode(shared, []shop.Act{{Item: "item-1", Kind: ranker.Shared, Weight: 1}}) {
		t.Error("a type that the encoder does not know was read")
	}
}

func BenchmarkEncode(b *testing.B) {
	c := causal.DefaultConfig(1000, 256)
	w, flat := causal.NewWeights(c)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range flat {
		flat[i] = float32(r.NormFloat64() / 8)
	}
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprint("i", i))
	}
	m, err := Load(pack(b, items, func(m *bundle.Manifest) { m.TextEncoder.Dim = 256 }, causal.Tower{Config: c, Weights: w}))
	if err != nil {
		b.Fatal(err)
	}
	var acts []shop.Act
	text := make([]float32, 256)
	text[0] = 1
	for i := range 50 {
		acts = append(acts, shop.Act{Item: items[i], Text: text, Weight: 1})
	}
	dst := make([]float32, m.Dim())
	b.Run("user of 50 acts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Encode(dst, acts)
		}
	})
	b.Run("item", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.ItemVector(dst, text, "i3")
		}
	})
}
