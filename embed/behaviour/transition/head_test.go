package transition

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// newHead has the parts whose bits are set: input, output, and both from text.
func newHead(rng *rand.Rand, parts int) Head {
	h := Head{Dim: 1 + rng.IntN(40), Items: 1 + rng.IntN(9), TextDim: 1 + rng.IntN(20), Decay: 0.5 + rng.Float32()/2, Recent: 1 + rng.IntN(6)}
	for i, t := range h.tensors() {
		if parts>>i&1 != 0 {
			*t.at = random(rng, t.shape[0]*t.shape[1])
		}
	}
	return h
}

// vector64 is an item's in double precision.
func vector64(h *Head, table, projection []float32, v Event) (x []float64, ok bool) {
	x = make([]float64, h.Dim)
	for i := range x {
		if table != nil && v.Item >= 0 {
			x[i] += float64(table[v.Item*h.Dim+i])
		}
		for j, t := range v.Text {
			if projection != nil {
				x[i] += float64(projection[i*h.TextDim+j]) * float64(t)
			}
		}
	}
	return x, table != nil && v.Item >= 0 || projection != nil && v.Text != nil
}

func near(got []float32, want []float64) bool {
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-4 {
			return false
		}
	}
	return true
}

func TestVectorsAreThoseOfTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		parts := rapid.SampledFrom([]int{3, 12, 15, 6, 9, 7, 13}).Draw(t, "parts")
		h := newHead(rng, parts)
		if err := h.Validate(); err != nil {
			t.Fatal(err)
		}
		events := make([]Event, rapid.IntRange(0, 9).Draw(t, "events"))
		for i := range events {
			events[i].Item = rng.IntN(h.Items+1) - 1
			if rng.IntN(3) > 0 {
				events[i].Text = random(rng, h.TextDim)
			}
		}
		want, known := make([]float64, h.Dim), false
		for i, v := range events {
			back := len(events) - 1 - i
			if back >= h.Recent {
				continue
			}
			x, ok := vector64(&h, h.Input, h.InputText, v)
			known = known || ok
			for j := range x {
				want[j] += math.Pow(float64(h.Decay), float64(back)) * x[j]
			}
			item := make([]float32, h.Dim)
			itemKnown, err := h.Item(item, v.Text, v.Item)
			x, ok = vector64(&h, h.Output, h.OutputText, v)
			if err != nil || itemKnown != ok || !near(item, x) {
				t.Fatalf("item %v: %v, %v, %v; want %v, %v", v, item, itemKnown, err, x, ok)
			}
		}
		got := random(rng, h.Dim)
		ok, err := h.User(got, random(rng, h.TextDim), events)
		if err != nil || ok != known || !near(got, want) {
			t.Fatalf("user %v, %v, %v; want %v, %v", got, ok, err, want, known)
		}
	})
}

func TestWhatIsOutOfRangeIsRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	h := newHead(rng, 15)
	dst, scratch := make([]float32, h.Dim), make([]float32, h.TextDim)
	for _, v := range []Event{{Item: h.Items}, {Item: -1, Text: make([]float32, h.TextDim+1)}} {
		if _, err := h.Item(dst, v.Text, v.Item); !errors.Is(err, ErrEvent) {
			t.Errorf("item %v: error %v", v, err)
		}
		if _, err := h.User(dst, scratch, []Event{v}); !errors.Is(err, ErrEvent) {
			t.Errorf("event %v: error %v", v, err)
		}
	}
	if _, err := h.User(dst, scratch[1:], nil); !errors.Is(err, ErrEvent) {
		t.Errorf("too little scratch: error %v", err)
	}
	for name, edit := range map[string]func(*Head){
		"Dim is": func(h *Head) { h.Dim = 0 }, "Items is": func(h *Head) { h.Items = -1 }, "TextDim is": func(h *Head) { h.TextDim = -1 },
		"Decay is": func(h *Head) { h.Decay = float32(math.NaN()) }, "Recent is": func(h *Head) { h.Recent = 0 },
		"output has": func(h *Head) { h.Output = h.Output[1:] }, "input_text is": func(h *Head) { h.InputText[3] = float32(math.Inf(1)) },
		"there must be": func(h *Head) { h.Input, h.InputText = nil, nil },
	} {
		bad := newHead(rng, 15)
		edit(&bad)
		if err := bad.Validate(); !errors.Is(err, ErrHead) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say what %q is about", err, name)
		}
	}
}

func TestHeadsComeBackFromTheirFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	want := []Head{newHead(rng, 3), newHead(rng, 15), newHead(rng, 12)}
	metadata, tensors, err := Tensors(want...)
	if err != nil {
		t.Fatal(err)
	}
	read := func(edit func([]byte) []byte) ([]Head, error) {
		var b bytes.Buffer
		if err := checkpoint.WriteSafetensors(&b, metadata, tensors); err != nil {
			t.Fatal(err)
		}
		raw := edit(b.Bytes())
		file, err := checkpoint.ReadHeader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		return FromTensors(file)
	}
	got, err := read(func(b []byte) []byte { return b })
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v; read differs from what was written (-written +read):\n%s", err, diff)
	}
	for name, edit := range map[string]func([]byte) []byte{
		"cut":          func(b []byte) []byte { return b[:len(b)-1] },
		"another kind": func(b []byte) []byte { return bytes.Replace(b, []byte(metadataKey), []byte("kindred.trensition"), 1) },
		"unknown tensor": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`\"output_text\"`), []byte(`\"outpit_text\"`), 1)
		},
		"other setting": func(b []byte) []byte { return bytes.Replace(b, []byte(`\"Decay\"`), []byte(`\"Delay\"`), 1) },
	} {
		if _, err := read(edit); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat", name, err)
		}
	}
}

func BenchmarkUser(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 7))
	h := Head{Dim: 256, Items: 3000, TextDim: 256, Decay: 0.7, Recent: 10, Input: random(rng, 3000*256), InputText: random(rng, 256*256)}
	events := make([]Event, 50)
	for i := range events {
		events[i] = Event{Item: rng.IntN(3000), Text: random(rng, 256)}
	}
	dst, scratch := make([]float32, h.Dim), make([]float32, h.TextDim)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.User(dst, scratch, events); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
