package causal

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// What follows is the encoder in double precision, as a textbook has it, event by event.

func linear64(w Linear, first, out int, x []float64) []float64 {
	y := make([]float64, out)
	for o := range y {
		y[o] = float64(w.Bias[first+o])
		for i, v := range x {
			y[o] += float64(w.Weight[(first+o)*len(x)+i]) * v
		}
	}
	return y
}

func norm64(n Norm, x []float64, epsilon float64) []float64 {
	var mean, squares float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		squares += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/math.Sqrt(squares+epsilon)*float64(n.Scale[i]) + float64(n.Shift[i])
	}
	return y
}

func plus64(x, y []float64) []float64 {
	sum := make([]float64, len(x))
	for i := range x {
		sum[i] = x[i] + y[i]
	}
	return sum
}

func item64(c Config, w *Weights, text []float32, number int) []float64 {
	x := make([]float64, c.Dim)
	for o := range x {
		for i, v := range text {
			if c.TextDim > 0 {
				x[o] += float64(w.Projection[o*c.TextDim+i]) * float64(v)
			}
		}
		if number >= 0 && c.Items > 0 {
			x[o] += float64(w.Residual[number*c.Dim+o])
		}
	}
	return x
}

func finish64(c Config, x []float64, length float64) []float64 {
	if c.Scale == 0 {
		return x
	}
	var squares float64
	for _, v := range x {
		squares += v * v
	}
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] / math.Sqrt(squares) * length
	}
	return y
}

// user64 encodes the events that count of a whole history.
func user64(c Config, w *Weights, history []Event) []float64 {
	events := history[c.First(len(history)):]
	e := float64(c.Epsilon)
	var x [][]float64
	for i, v := range events {
		row := item64(c, w, v.Text, v.Item)
		for _, t := range []struct {
			table []float32
			at    int
		}{{w.Types, v.Type}, {w.Gaps, v.Gap}, {w.Values, v.Value}, {w.Positions, len(events) - 1 - i}} {
			for j := range row {
				if len(t.table) > 0 {
					row[j] += float64(t.table[t.at*c.Dim+j])
				}
			}
		}
		if !c.PreNorm {
			row = norm64(w.Norm, row, e)
		}
		x = append(x, row)
	}
	for i := range w.Layers {
		x = block64(c, &w.Layers[i], x, e)
	}
	last := x[len(x)-1]
	if c.PreNorm {
		last = norm64(w.Norm, last, e)
	}
	return finish64(c, last, float64(c.Scale))
}

func block64(c Config, w *Layer, x [][]float64, e float64) [][]float64 {
	var qkv, out [][]float64
	for _, row := range x {
		if c.PreNorm {
			row = norm64(w.AttentionNorm, row, e)
		}
		qkv = append(qkv, linear64(w.Input, 0, 3*c.Dim, row))
	}
	for i, row := range x {
		row = plus64(row, linear64(w.Output, 0, c.Dim, attend64(c, w, qkv[:i+1])))
		in := row
		if c.PreNorm {
			in = norm64(w.Norm, row, e)
		} else {
			row = norm64(w.AttentionNorm, row, e)
			in = row
		}
		wide := linear64(w.Up, 0, c.FeedForward, in)
		for j, v := range wide {
			wide[j] = 0.5 * v * (1 + math.Erf(v/math.Sqrt2))
		}
		row = plus64(row, linear64(w.Down, 0, c.Dim, wide))
		if !c.PreNorm {
			row = norm64(w.Norm, row, e)
		}
		out = append(out, row)
	}
	return out
}

func attend64(c Config, w *Layer, qkv [][]float64) []float64 {
	d, last := c.HeadDim(), len(qkv)-1
	context := make([]float64, c.Dim)
	for h := range c.Heads {
		sum := 0.0
		weights := make([]float64, len(qkv))
		for j := range qkv {
			score := 0.0
			for i := h * d; i < (h+1)*d; i++ {
				score += qkv[last][i] * qkv[j][c.Dim+i]
			}
			score /= math.Sqrt(float64(d))
			if c.Position == Relative {
				score += float64(w.Distance[h*c.Window+last-j])
			}
			weights[j] = math.Exp(score)
			sum += weights[j]
		}
		for j := range qkv {
			for i := h * d; i < (h+1)*d; i++ {
				context[i] += weights[j] / sum * qkv[j][2*c.Dim+i]
			}
		}
	}
	return context
}

// randomTower has weights of the size that training leaves.
func randomTower(rng *rand.Rand, c Config) Tower {
	w, flat := NewWeights(c)
	for i := range flat {
		flat[i] = float32(rng.NormFloat64()) / float32(math.Sqrt(float64(c.Dim)))
	}
	for _, p := range w.Parameters(c) {
		if strings.HasSuffix(p.Name, "norm.weight") {
			for i := range p.Data {
				p.Data[i]++
			}
		}
	}
	return Tower{c, w}
}

func randomEvents(rng *rand.Rand, c Config, n int) []Event {
	events := make([]Event, n)
	for i := range events {
		v := &events[i]
		v.Item = -1
		if c.Items > 0 && (c.TextDim == 0 || rng.IntN(5) > 0) {
			v.Item = rng.IntN(c.Items)
		}
		if c.TextDim > 0 && (v.Item < 0 || rng.IntN(5) > 0) {
			v.Text = make([]float32, c.TextDim)
			for j := range v.Text {
				v.Text[j] = float32(rng.NormFloat64()) / float32(math.Sqrt(float64(c.TextDim)))
			}
		}
		v.Type, v.Gap, v.Value = rng.IntN(max(1, c.Types)), rng.IntN(max(1, c.Gaps)), rng.IntN(max(1, c.Values))
	}
	return events
}

func newEncoder(t interface{ Fatal(...any) }, tower Tower) *Encoder {
	e, err := NewEncoder(tower)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// near compares vectors as directions of about unit length, which scores do.
func near(got []float32, want []float64) error {
	var squares, wrong float64
	for i, v := range want {
		squares += v * v
		wrong += (float64(got[i]) - v) * (float64(got[i]) - v)
	}
	if !(math.Sqrt(wrong) <= 1e-4*max(1e-2, math.Sqrt(squares))) {
		return fmt.Errorf("off by %g of a length of %g", math.Sqrt(wrong), math.Sqrt(squares))
	}
	return nil
}

func drawConfig(t *rapid.T) Config {
	heads := rapid.SampledFrom([]int{1, 2, 3}).Draw(t, "heads")
	c := Config{
		Items: rapid.SampledFrom([]int{0, 20}).Draw(t, "items"), TextDim: rapid.SampledFrom([]int{7, 16}).Draw(t, "textDim"),
		Dim: heads * rapid.SampledFrom([]int{1, 5, 16, 32}).Draw(t, "headDim"), Layers: rapid.IntRange(0, 3).Draw(t, "layers"),
		Heads: heads, FeedForward: rapid.SampledFrom([]int{1, 9, 64}).Draw(t, "wide"), Window: rapid.SampledFrom([]int{1, 2, 5, 16, 70}).Draw(t, "window"),
		Types: rapid.SampledFrom([]int{0, 3}).Draw(t, "types"), Gaps: rapid.SampledFrom([]int{0, 4}).Draw(t, "gaps"), Values: rapid.SampledFrom([]int{0, 2}).Draw(t, "values"),
		Position: rapid.SampledFrom([]Position{Relative, FromEnd}).Draw(t, "position"), PreNorm: rapid.Bool().Draw(t, "pre"),
		Scale: rapid.SampledFrom([]float32{0, 10}).Draw(t, "scale"), Epsilon: 1e-3,
	}
	if c.Items > 0 && rapid.Bool().Draw(t, "no text") {
		c.TextDim = 0
	}
	return c
}

func TestUsersAreThoseOfTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		tower := randomTower(rng, c)
		e := newEncoder(t, tower)
		history := randomEvents(rng, c, rapid.IntRange(1, 2*c.Window+3).Draw(t, "events"))
		got := make([]float32, c.Dim)
		if err := e.Encode(e.NewScratch(), e.NewState(), got, history, 0); err != nil {
			t.Fatal(err)
		}
		if err := near(got, user64(c, tower.Weights, history)); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	})
}

// Event by event gives the bits that the whole history gives, whatever was forgotten.
func TestOneEventMoreGivesWhatAllEventsGive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		e := newEncoder(t, randomTower(rng, c))
		history := randomEvents(rng, c, 2*c.Window+3)
		scratch, state, fresh := e.NewScratch(), e.NewState(), e.NewState()
		got, want := make([]float32, c.Dim), make([]float32, c.Dim)
		begin := rapid.IntRange(0, len(history)-1).Draw(t, "encoded at once")
		if begin > 0 {
			if err := e.Encode(scratch, state, got, history[:begin], 0); err != nil {
				t.Fatal(err)
			}
		}
		for n := begin + 1; n <= len(history); n++ {
			if err := e.Append(scratch, state, got, history[n-1]); err != nil {
				t.Fatal(err)
			}
			before := rng.IntN(c.First(n) + 1) // events that count are given, and some that do not
			if err := e.Encode(scratch, fresh, want, history[before:n], before); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) || state.Total() != n {
				t.Fatalf("%+v: after %d events: %v, from all %v", c, n, got, want)
			}
		}
	})
}

func TestWhatCountsOfALongHistoryStaysForAQuarterOfTheWindow(t *testing.T) {
	for _, window := range []int{1, 2, 3, 4, 7, 50} {
		c := Config{Window: window}
		step, last := max(1, window/4), 0
		for total := range 5*window + 9 {
			first := c.First(total)
			if n := total - first; n > window || total <= window && first != 0 || total > window && n <= window-step || first%step != 0 || first < last || first > last+step {
				t.Fatalf("window %d: of %d events those from %d on count", window, total, first)
			}
			last = first
		}
	}
}

func TestItemsAreTheirTextAndTheirResidual(t *testing.T) {
	for _, scale := range []float32{0, 10} {
		rng := rand.New(rand.NewPCG(3, 4))
		c := Config{Items: 9, TextDim: 24, Dim: 32, Layers: 1, Heads: 2, FeedForward: 16, Window: 5, Scale: scale, Epsilon: 1e-5}
		tower := randomTower(rng, c)
		e := newEncoder(t, tower)
		for _, v := range append(randomEvents(rng, c, 30), Event{Item: 8}, Event{Item: -1}) {
			got := make([]float32, c.Dim)
			ok, err := e.Item(got, v.Text, v.Item)
			if err != nil || ok != (v.Item >= 0 || v.Text != nil) {
				t.Fatalf("item %d with text %v: %v, %v", v.Item, v.Text != nil, ok, err)
			}
			want := item64(c, tower.Weights, v.Text, v.Item)
			if ok {
				want = finish64(c, want, 1)
			}
			if err := near(got, want); err != nil {
				t.Errorf("item %d with text %v: %v", v.Item, v.Text != nil, err)
			}
		}
	}
}

func TestWhatIsOutOfRangeIsRefused(t *testing.T) {
	tower := tower(Relative)
	e := newEncoder(t, tower)
	c := tower.Config
	scratch, state, dst := e.NewScratch(), e.NewState(), make([]float32, c.Dim)
	good := Event{Item: 4, Text: make([]float32, c.TextDim)}
	if err := e.Append(scratch, state, dst, good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Event{
		{Item: c.Items}, {Text: make([]float32, 2)}, {Type: 2}, {Type: -1}, {Gap: 3}, {Value: 4}, {Value: -1},
	} {
		if err := e.Append(scratch, state, dst, bad); !errors.Is(err, ErrEvent) || state.Total() != 1 {
			t.Errorf("%+v appended: error %v, %d events", bad, err, state.Total())
		}
		if err := e.Encode(scratch, e.NewState(), dst, []Event{good, bad}, 0); !errors.Is(err, ErrEvent) {
			t.Errorf("%+v encoded: error %v", bad, err)
		}
		if _, err := e.Item(dst, bad.Text, bad.Item); (bad.Item == c.Items || bad.Text != nil) != errors.Is(err, ErrEvent) {
			t.Errorf("%+v as an item: error %v", bad, err)
		}
	}
	other := newEncoder(t, tower)
	for name, err := range map[string]error{
		"no event":       e.Encode(scratch, e.NewState(), dst, nil, 0),
		"short result":   e.Append(scratch, state, dst[1:], good),
		"other's state":  e.Append(scratch, other.NewState(), dst, good),
		"other's memory": e.Append(other.NewScratch(), state, dst, good),
		"too large":      e.Append(scratch, state, dst, Event{Item: -1, Text: []float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}}),
	} {
		if !errors.Is(err, ErrEvent) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := NewEncoder(Tower{c, &Weights{}}); !errors.Is(err, ErrFormat) {
		t.Errorf("weights without layers: error %v", err)
	}
}

func TestManyUseOneEncoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	c := DefaultConfig(30, 16)
	e := newEncoder(t, randomTower(rng, c))
	history := randomEvents(rng, c, 60)
	want := make([]float32, c.Dim)
	if err := e.Encode(e.NewScratch(), e.NewState(), want, history, 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			scratch, state, got := e.NewScratch(), e.NewState(), make([]float32, c.Dim)
			for _, v := range history {
				if err := e.Append(scratch, state, got, v); err != nil {
					t.Error(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Error("another result beside others")
			}
		})
	}
	wg.Wait()
}

func TestEncodingAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	c := DefaultConfig(30, 16)
	c.Types, c.Gaps, c.Window = 3, 3, 8
	e := newEncoder(t, randomTower(rng, c))
	history := randomEvents(rng, c, 20)
	scratch, state, dst := e.NewScratch(), e.NewState(), make([]float32, c.Dim)
	for name, call := range map[string]func() error{
		"at once":        func() error { return e.Encode(scratch, state, dst, history, 3) },
		"one event more": func() error { return e.Append(scratch, state, dst, history[0]) },
		"an item":        func() error { _, err := e.Item(dst, history[0].Text, 1); return err },
	} {
		if n := testing.AllocsPerRun(20, func() {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, textDim := range []int{0, 256} {
		rng := rand.New(rand.NewPCG(9, 10))
		c := DefaultConfig(3000, textDim)
		e := newEncoder(b, randomTower(rng, c))
		history := randomEvents(rng, c, c.Window)
		scratch, state, dst := e.NewScratch(), e.NewState(), make([]float32, c.Dim)
		b.Run(fmt.Sprintf("cold/events=50/text=%d", textDim), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Encode(scratch, state, dst, history, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("incremental/after=49/text=%d", textDim), func(b *testing.B) {
			b.ReportAllocs()
			if err := e.Encode(scratch, state, dst, history[:c.Window-1], 0); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				state.rows, state.total = c.Window-1, c.Window-1
				if err := e.Append(scratch, state, dst, history[c.Window-1]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("incremental/stream/text=%d", textDim), func(b *testing.B) { // with what is computed anew
			b.ReportAllocs()
			state.Reset()
			for i := 0; b.Loop(); i++ {
				if err := e.Append(scratch, state, dst, history[i%c.Window]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
