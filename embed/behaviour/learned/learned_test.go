package learned

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/bundle"
)

const (
	items   = 30
	textDim = 24
)

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() / 4)
	}
	return x
}

func unitText(rng *rand.Rand) []float32 {
	v := random(rng, textDim)
	toUnit(v)
	return v
}

func tower(rng *rand.Rand, scale float32, edit func(*causal.Config)) Tower {
	c := causal.DefaultConfig(items, textDim)
	c.Dim, c.FeedForward, c.Window = 32, 48, 12
	edit(&c)
	w, flat := causal.NewWeights(c)
	copy(flat, random(rng, len(flat)))
	return Tower{causal.Tower{Config: c, Weights: w}, scale}
}

func head(rng *rand.Rand, scale float32, text bool) Head {
	h := transition.Head{Dim: 20, Items: items, Decay: 0.6, Recent: 5, Input: random(rng, items*20), Output: random(rng, items*20)}
	if text {
		h.TextDim, h.InputText, h.OutputText = textDim, random(rng, 20*textDim), random(rng, 20*textDim)
	}
	return Head{h, scale}
}

func ids() (list []string) {
	for i := range items {
		list = append(list, fmt.Sprint("item-", i))
	}
	return list
}

var numbering = Numbering{Types: []string{"view", "", "dislike"}, Gaps: []float64{10, 3600}, Values: []float32{0, 2}}

// models are the shapes that are served.
func models() map[string]Model {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := func(*causal.Config) {}
	numbered := func(c *causal.Config) { c.Types, c.Gaps, c.Values = numbering.Rows() }
	return map[string]Model{
		"one tower":    {Towers: []Tower{tower(rng, 1, plain)}, Items: ids()},
		"of cosines":   {Towers: []Tower{tower(rng, 1, func(c *causal.Config) { c.Scale = 10 })}, Items: ids()},
		"texts alone":  {Towers: []Tower{tower(rng, 1, func(c *causal.Config) { c.Items = 0 })}, Heads: []Head{{transition.Head{Dim: 9, TextDim: textDim, Decay: 1, Recent: 1, InputText: random(rng, 9*textDim), OutputText: random(rng, 9*textDim)}, 1}}},
		"a head alone": {Heads: []Head{head(rng, 2, false)}, Items: ids()},
		"all parts": {
			Towers: []Tower{tower(rng, 0.5, numbered), tower(rng, 3, func(c *causal.Config) { c.Scale, c.Position, c.Window = 4, causal.FromEnd, 5 }), tower(rng, 1, func(c *causal.Config) { c.TextDim, c.PreNorm = 0, true })},
			Heads:  []Head{head(rng, 0.7, true), head(rng, 5, false)},
			Items:  ids(), Numbering: numbering,
		},
	}
}

// world is items that are known, and some that are new.
type world struct {
	ids   []string
	texts map[string][]float32
}

func newWorld(rng *rand.Rand) world {
	w := world{append(ids(), "new-1", "new-2", "new-3"), map[string][]float32{}}
	for i, id := range w.ids {
		if i%9 != 8 {
			w.texts[id] = unitText(rng)
		}
	}
	return w
}

func (w world) row(id string) int { return slices.Index(ids(), id) }

func (w world) events(rng *rand.Rand, n int) []Event {
	events := make([]Event, n)
	at := int64(1_700_000_000_000_000)
	for i := range events {
		id := w.ids[rng.IntN(len(w.ids))]
		at += int64(rng.IntN(5000)) * 1_000_000
		events[i] = Event{Item: id, Text: w.texts[id], Type: []string{"view", "purchase", "dislike"}[rng.IntN(3)], Weight: float32(rng.IntN(6)) - 1, Time: at}
		if rng.IntN(5) == 0 {
			events[i].Time = 0
		}
	}
	return events
}

// parts are the plain vectors of a user and an item, from the parts' own packages, and
// the score that they add up to.
func (w world) score(t *testing.T, m Model, events []Event, id string) (score float64, known bool) {
	t.Helper()
	for _, p := range m.Towers {
		e, err := causal.NewEncoder(p.Tower)
		if err != nil {
			t.Fatal(err)
		}
		var read []causal.Event
		for i, v := range events {
			row := w.row(v.Item)
			if (row < 0 || p.Config.Items == 0) && (v.Text == nil || p.Config.TextDim == 0) || v.Weight <= 0 && p.Config.Types == 0 {
				continue
			}
			c := causal.Event{Item: row, Text: v.Text}
			if p.Config.Types > 0 {
				c.Type = map[string]int{"view": 0, "purchase": 1, "dislike": 2}[v.Type]
				if v.Weight >= 0 {
					c.Value++
				}
				if v.Weight >= 2 {
					c.Value++
				}
				if i > 0 && v.Time != 0 && events[i-1].Time != 0 {
					c.Gap = 1
					if s := (v.Time - events[i-1].Time) / 1_000_000; s >= 3600 {
						c.Gap = 3
					} else if s >= 10 {
						c.Gap = 2
					}
				}
			}
			read = append(read, c)
		}
		user, item := make([]float32, p.Config.Dim), make([]float32, p.Config.Dim)
		ok, err := e.Item(item, w.texts[id], w.row(id))
		if err != nil {
			t.Fatal(err)
		}
		known = known || ok
		if len(read) > 0 {
			if err := e.Encode(e.NewScratch(), e.NewState(), user, read[max(0, len(read)-p.Config.Window):], 0); err != nil {
				t.Fatal(err)
			}
		}
		score += float64(p.Scale) * inner(user, item)
	}
	for _, h := range m.Heads {
		var read []transition.Event
		for _, v := range events {
			if row := w.row(v.Item); v.Weight > 0 && (row >= 0 && h.Input != nil || v.Text != nil && h.InputText != nil) {
				read = append(read, transition.Event{Item: row, Text: v.Text})
			}
		}
		user, item := make([]float32, h.Dim), make([]float32, h.Dim)
		ok, err := h.Item(item, w.texts[id], w.row(id))
		if err != nil {
			t.Fatal(err)
		}
		known = known || ok
		if _, err := h.User(user, make([]float32, textDim), read); err != nil {
			t.Fatal(err)
		}
		score += float64(h.Scale) * inner(user, item)
	}
	return score, known
}

func inner(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func newEncoder(t testing.TB, m Model) *Encoder {
	t.Helper()
	e, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Inner products are the parts' scores added up, all divided by one number of the user's.
func TestVectorsScoreAsThePartsDoTogether(t *testing.T) {
	for name, m := range models() {
		for _, measured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/measured=%v", name, measured), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, 4))
				w := newWorld(rng)
				if measured {
					w.ids = ids() // a new item may be longer than what was measured
					if m.Items == nil {
						t.Skip("nothing to measure")
					}
					var err error
					if m.MaxNorm, err = m.Measure(func(row int) []float32 { return w.texts[m.Items[row]] }); err != nil {
						t.Fatal(err)
					}
				}
				e := newEncoder(t, m)
				if e.Dim()%8 != 0 || e.Dim() <= e.PlainDim() || e.PlainDim() != m.PlainDim() {
					t.Fatalf("%d components for %d", e.Dim(), m.PlainDim())
				}
				vectors, longest := map[string][]float32{}, 0.0
				for _, id := range w.ids {
					v := make([]float32, e.Dim())
					_, known := w.score(t, m, nil, id)
					ok, err := e.Item(v, w.texts[id], id)
					if err != nil || ok != known {
						t.Fatalf("%s: %v, %v; want %v", id, ok, err, known)
					}
					if !ok {
						continue
					}
					if n := length(v); math.Abs(n-1) > 1e-5 {
						t.Errorf("%s has length %g", id, n)
					}
					vectors[id], longest = v, max(longest, length(v[:e.PlainDim()]))
				}
				if measured && longest < 0.9999 {
					t.Errorf("the longest plain vector is scaled to %g", longest)
				}
				for range 6 {
					events := w.events(rng, rng.IntN(40))
					user := make([]float32, e.Dim())
					ok, err := e.User(user, events)
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						user = make([]float32, e.Dim())
					} else if n := length(user); math.Abs(n-1) > 1e-5 {
						t.Errorf("a user has length %g", n)
					}
					var got, want []float64
					for id, v := range vectors {
						score, _ := w.score(t, m, events, id)
						got, want = append(got, inner(user, v)), append(want, score)
					}
					checkProportional(t, got, want)
				}
			})
		}
	}
}

// checkProportional finds the number that want is divided by.
func checkProportional(t *testing.T, got, want []float64) {
	t.Helper()
	var above, below, size float64
	for i := range got {
		above += got[i] * want[i]
		below += got[i] * got[i]
		size = max(size, math.Abs(want[i]))
	}
	if below == 0 && size == 0 {
		return
	}
	by := above / below
	for i := range got {
		if !(by > 0) || math.Abs(got[i]*by-want[i]) > 2e-3*size {
			t.Fatalf("scores %v are not %v divided by %g", got, want, by)
		}
	}
}

func TestANewItemThatIsLongerIsScaledDown(t *testing.T) {
	m := models()["all parts"]
	m.MaxNorm = 1e-3
	e := newEncoder(t, m)
	v := make([]float32, e.Dim())
	if ok, err := e.Item(v, unitText(rand.New(rand.NewPCG(5, 6))), "new"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := length(v[:e.PlainDim()]); math.Abs(n-1) > 1e-5 || v[e.PlainDim()] > 1e-2 {
		t.Errorf("length %g, rest %g", n, v[e.PlainDim()])
	}
}

func TestTheBoundIsAboveAllItemsAndNotFar(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		a := random(r, 16*9)
		bound, longest := largestStretch(a, 16, 9), 0.0
		for range 2000 {
			x := random(r, 9)
			toUnit(x)
			var squares float64
			for row := range 16 {
				y := inner(a[row*9:(row+1)*9], x)
				squares += y * y
			}
			longest = max(longest, math.Sqrt(squares))
		}
		if bound < longest || bound > 1.3*longest || bound > length(a)+1e-6 {
			t.Errorf("bound %v, longest of many %v, all together %v", bound, longest, length(a))
		}
	}
	if n := largestStretch(make([]float32, 6), 2, 3); n != 0 {
		t.Errorf("zeros stretch by %v", n)
	}
}

func TestThereIsNothingToSay(t *testing.T) {
	e := newEncoder(t, models()["one tower"])
	user := random(rand.New(rand.NewPCG(7, 8)), e.Dim())
	for name, events := range map[string][]Event{
		"no events": nil, "an item that nothing is known of": {{Item: "?", Weight: 1}},
		"only against": {{Item: "item-1", Weight: -1}, {Item: "item-2"}},
	} {
		if ok, err := e.User(user, events); ok || err != nil || length(user) != 0 {
			t.Errorf("%s: %v, %v, length %g", name, ok, err, length(user))
		}
	}
	item := random(rand.New(rand.NewPCG(7, 8)), e.Dim())
	if ok, err := e.Item(item, nil, "?"); ok || err != nil || length(item) != 0 {
		t.Errorf("an item that nothing is known of: %v, %v, length %g", ok, err, length(item))
	}
}

func TestModelsComeBackFromTheirBundle(t *testing.T) {
	for name, m := range models() {
		t.Run(name, func(t *testing.T) {
			m.MaxNorm = 7
			about := bundle.Manifest{Created: time.Unix(1, 0), TextEncoder: bundle.Space{Name: "e", Dim: textDim}, BehaviourDim: m.PlainDim()}
			b, err := bundle.Write(t.TempDir(), about, m.Payloads(), bundle.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := b.ReadFile(bundle.BehaviourFile)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(bytes.NewReader(raw), int64(len(raw)), m.Items)
			if diff := cmp.Diff(m, got); diff != "" || err != nil {
				t.Fatalf("error %v; read differs from what was written (-written +read):\n%s", err, diff)
			}
			opened, err := Open(b)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(9, 10))
			w := newWorld(rng)
			events := append(w.events(rng, 12), Event{Item: "item-3", Text: unitText(rng), Type: "view", Weight: 1})
			want, back := make([]float32, opened.Dim()), make([]float32, opened.Dim())
			for e, dst := range map[*Encoder][]float32{newEncoder(t, m): want, opened: back} {
				if ok, err := e.User(dst, events); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			if !slices.Equal(want, back) {
				t.Error("the model from the bundle has other vectors")
			}
		})
	}
}

func TestAFileOfTowersAloneIsAModel(t *testing.T) {
	m := models()["one tower"]
	var raw bytes.Buffer
	if err := causal.Write(&raw, m.Towers[0].Tower); err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(raw.Bytes()), int64(raw.Len()), m.Items)
	if diff := cmp.Diff(m, got); diff != "" || err != nil {
		t.Errorf("error %v; read differs (-written +read):\n%s", err, diff)
	}
	if _, err := Read(bytes.NewReader(raw.Bytes()), int64(raw.Len()), m.Items[1:]); !errors.Is(err, ErrModel) {
		t.Errorf("an id too few: error %v", err)
	}
}

func TestWhatDoesNotGoTogetherIsRefused(t *testing.T) {
	for name, edit := range map[string]func(*Model){
		"0 towers":   func(m *Model) { *m = Model{} },
		"MaxNorm":    func(m *Model) { m.MaxNorm = float32(math.Inf(1)) },
		"rows of 30": func(m *Model) { m.Items = m.Items[1:] },
		"text vectors": func(m *Model) {
			m.Heads[0] = Head{transition.Head{Dim: 1, TextDim: 2, Decay: 1, Recent: 1, InputText: make([]float32, 2), OutputText: make([]float32, 2)}, 1}
		},
		"tower 1: learned: bad model: its Scale": func(m *Model) { m.Towers[1].Scale = 0 },
		"head 1: learned: bad model: its Scale":  func(m *Model) { m.Heads[1].Scale = float32(math.NaN()) },
		"3 types, the numbering 2":               func(m *Model) { m.Numbering.Types = []string{"view", "click"} },
		"4 gaps, the numbering 0":                func(m *Model) { m.Numbering.Gaps = nil },
		"twice":                                  func(m *Model) { m.Numbering.Types = []string{"view", "click", "view"} },
		"gap bound 1":                            func(m *Model) { m.Numbering.Gaps = []float64{5, 5} },
		"value bound 0":                          func(m *Model) { m.Numbering.Values = []float32{float32(math.NaN()), 1} },
		"a user takes": func(m *Model) {
			m.Towers[0] = tower(rand.New(rand.NewPCG(1, 1)), 1, func(c *causal.Config) { c.Layers, c.Window, c.Dim = 0, 1<<14, 1<<9 })
		},
		"have an id that": func(m *Model) { m.Items[3] = m.Items[4] },
	} {
		m := models()["all parts"]
		edit(&m)
		if _, err := New(m); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say what %q is about", err, name)
		}
	}
	e := newEncoder(t, models()["all parts"])
	v, text := make([]float32, e.Dim()), make([]float32, textDim+1)
	nan := make([]float32, textDim)
	nan[0] = float32(math.NaN())
	for name, call := range map[string]func() (bool, error){
		"short item":         func() (bool, error) { return e.Item(v[1:], nil, "item-1") },
		"short user":         func() (bool, error) { return e.User(v[1:], nil) },
		"text of an item":    func() (bool, error) { return e.Item(v, text, "item-1") },
		"text of an event":   func() (bool, error) { return e.User(v, []Event{{Item: "item-1", Text: text, Weight: 1}}) },
		"not a number":       func() (bool, error) { return e.Item(v, nan, "item-1") },
		"an event with NaNs": func() (bool, error) { return e.User(v, []Event{{Item: "item-1", Text: nan, Weight: 1}}) },
	} {
		if ok, err := call(); ok || !errors.Is(err, ErrEvent) && !errors.Is(err, causal.ErrEvent) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func TestEventsAreNumbered(t *testing.T) {
	n := numbering
	for name, want := range map[string]int{"view": 0, "": 1, "purchase": 1, "dislike": 2} {
		if row, ok := n.Type(name); row != want || !ok {
			t.Errorf("type %q has row %d, %v; want %d", name, row, ok, want)
		}
	}
	if _, ok := (Numbering{Types: []string{"view"}}).Type("click"); ok {
		t.Error("a type that is not listed has a row")
	}
	for since, want := range map[time.Duration]int{-1: 0, 0: 1, 9999 * time.Millisecond: 1, 10 * time.Second: 2, time.Hour: 3, 1000 * time.Hour: 3} {
		if row := n.Gap(since); row != want {
			t.Errorf("gap %v has row %d, want %d", since, row, want)
		}
	}
	for weight, want := range map[float32]int{-4: 0, 0: 1, 1.9: 1, 2: 2, 99: 2} {
		if row := n.Value(weight); row != want {
			t.Errorf("weight %g has row %d, want %d", weight, row, want)
		}
	}
}

func TestManyUseOneEncoderWithoutAllocating(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	e := newEncoder(t, models()["all parts"])
	events := newWorld(rng).events(rng, 20)
	want := make([]float32, e.Dim())
	if ok, err := e.User(want, events); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				got := make([]float32, e.Dim())
				if ok, err := e.User(got, events); !ok || err != nil || !slices.Equal(got, want) {
					t.Error("another result beside others", ok, err)
				}
			}
		})
	}
	wg.Wait()
	got := make([]float32, e.Dim())
	if n := testing.AllocsPerRun(20, func() { _, _ = e.User(got, events) }); n > 0 {
		t.Errorf("a user: %v allocations", n)
	}
	if n := testing.AllocsPerRun(20, func() { _, _ = e.Item(got, events[0].Text, events[0].Item) }); n > 0 {
		t.Errorf("an item: %v allocations", n)
	}
}

func FuzzRead(f *testing.F) {
	for _, m := range models() {
		for i := range m.Towers { // small, so that a change hits something
			m.Towers[i] = tower(rand.New(rand.NewPCG(1, 1)), 1, func(c *causal.Config) {
				c.Items, c.TextDim, c.Dim, c.Layers, c.FeedForward, c.Window = 2, 2, 2, 1, 1, 2
			})
		}
		for i := range m.Heads {
			m.Heads[i] = Head{transition.Head{Dim: 1, Items: 2, Decay: 1, Recent: 1, Input: make([]float32, 2), Output: make([]float32, 2)}, 1}
		}
		m.Items, m.Numbering = []string{"a", "b"}, Numbering{}
		var raw bytes.Buffer
		if err := m.Write(&raw); err != nil {
			f.Fatal(err)
		}
		f.Add(raw.Bytes(), "a\nb\n")
	}
	f.Fuzz(func(t *testing.T, raw []byte, list string) {
		items, err := bundle.ReadItems(strings.NewReader(list), 100)
		if err != nil {
			return
		}
		m, err := Read(bytes.NewReader(raw), int64(len(raw)), items)
		if err != nil {
			return
		}
		e, err := New(m)
		if err != nil {
			t.Fatalf("what was read cannot be used: %v", err)
		}
		v := make([]float32, e.Dim())
		ok, err := e.User(v, []Event{{Item: "a", Weight: 1}, {Item: "b", Weight: 2, Time: 5}})
		if n := length(v); err == nil && ok != (math.Abs(n-1) < 1e-3) {
			t.Fatalf("user: %v, length %g", ok, n)
		}
	})
}

// The most that is likely to serve: two towers of 128 and a head of 256.
func BenchmarkUser(b *testing.B) {
	const items, textDim = 3000, 256
	rng := rand.New(rand.NewPCG(13, 14))
	var m Model
	for range 2 {
		c := causal.DefaultConfig(items, textDim)
		w, flat := causal.NewWeights(c)
		copy(flat, random(rng, len(flat)))
		m.Towers = append(m.Towers, Tower{causal.Tower{Config: c, Weights: w}, 1})
	}
	m.Heads = []Head{{transition.Head{Dim: 256, Items: items, Decay: 0.7, Recent: 10, Input: random(rng, items*256), Output: random(rng, items*256)}, 1}}
	for i := range items {
		m.Items = append(m.Items, fmt.Sprint(i))
	}
	events := make([]Event, 50)
	for i := range events {
		events[i] = Event{Item: m.Items[rng.IntN(items)], Text: random(rng, textDim), Weight: 1}
	}
	for name, model := range map[string]Model{"a tower": {Towers: m.Towers[:1], Items: m.Items}, "two towers and a head": m} {
		b.Run(name, func(b *testing.B) {
			e := newEncoder(b, model)
			dst := make([]float32, e.Dim())
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := e.User(dst, events); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
