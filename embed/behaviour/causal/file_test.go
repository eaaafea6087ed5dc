package causal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tower is a small one in which every part is present.
func tower(position Position) Tower {
	c := Config{Items: 5, TextDim: 3, Dim: 4, Layers: 2, Heads: 2, FeedForward: 6, Window: 7, Types: 2, Gaps: 3, Values: 4, Position: position, Scale: 10, Epsilon: 1e-5}
	w, flat := NewWeights(c)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range flat {
		flat[i] = float32(rng.NormFloat64())
	}
	return Tower{c, w}
}

func written(t testing.TB, towers ...Tower) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, towers...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) ([]Tower, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestTowersComeBackFromTheirFile(t *testing.T) {
	want := []Tower{tower(Relative), tower(FromEnd)}
	file := written(t, want...)
	got, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read differs from what was written (-written +read):\n%s", diff)
	}
	if !bytes.Equal(file, written(t, got...)) {
		t.Error("the same towers were written as other bytes")
	}
}

func TestAFileThatIsNotWholeIsRefused(t *testing.T) {
	file := written(t, tower(Relative))
	for _, cut := range []int{0, 7, 100, len(file) - 1} {
		if _, err := read(file[:cut]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut at %d: error is %v, want ErrFormat", cut, err)
		}
	}
	notFinite := bytes.Clone(file)
	binary.LittleEndian.PutUint32(notFinite[len(notFinite)-4:], math.Float32bits(float32(math.NaN())))
	if _, err := read(notFinite); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "layer.1.norm.bias") {
		t.Errorf("a NaN: error is %v, want one that names the tensor", err)
	}
	if _, err := read(bytes.Replace(file, []byte(metadataKey), []byte("kindred.casual"), 1)); !errors.Is(err, ErrFormat) {
		t.Errorf("another kind of file: error is %v, want ErrFormat", err)
	}
	if _, err := read(bytes.Replace(file, []byte(`\"Heads\":2`), []byte(`\"Heads\":3`), 1)); !errors.Is(err, ErrConfig) {
		t.Errorf("sizes that do not go together: error is %v, want ErrConfig", err)
	}
	if _, err := read(bytes.Replace(file, []byte(`\"Heads\":2`), []byte(`\"Hands\":2`), 1)); !errors.Is(err, ErrFormat) {
		t.Errorf("a setting that is not known: error is %v, want ErrFormat", err)
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	err := Config{Items: -1, TextDim: -1, Dim: 0, Layers: -1, Heads: 0, FeedForward: 0, Window: 0, Types: -1, Gaps: -1, Values: -1, Position: 2, Scale: -1}.Validate()
	for _, field := range []string{"Items", "TextDim", "Dim", "Layers", "Heads", "FeedForward", "Window", "Types", "Gaps", "Values", "Position", "Scale", "Epsilon"} {
		if err == nil || !strings.Contains(err.Error(), field+" is") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	if err := DefaultConfig(10, 0).Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, tower(Relative)))
	f.Add(written(f, tower(FromEnd), tower(Relative)))
	f.Fuzz(func(t *testing.T, b []byte) {
		towers, err := read(b)
		if err != nil {
			return
		}
		for _, tower := range towers {
			if err := tower.Weights.Validate(tower.Config); err != nil {
				t.Fatalf("what was read is not valid: %v", err)
			}
		}
	})
}
