package lower

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer"
)

const dir = "../../../../shared/models/all-minilm-l6-v2"

func TestLowerLayersAreAnEncoderOfTheirOwn(t *testing.T) {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		t.Skip("the model is not there")
	}
	texts := []string{"a great camera", "a bad camera", ""}
	vectors := func(enc *transformer.Encoder, err error) []float32 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer enc.Close()
		out := make([]float32, len(texts)*enc.Info().Dim)
		if err := enc.Encode(context.Background(), texts, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	o := transformer.Options{Backend: transformer.Go}
	whole := vectors(transformer.Load(dir, o))
	all := vectors(Load(dir, 6, o))
	four := vectors(Load(dir, 4, o))
	cosine, differs := 0.0, false
	for i := range whole {
		if math.Abs(float64(whole[i]-all[i])) > 1e-6 {
			t.Fatalf("component %d: %v with all layers, %v of the model", i, all[i], whole[i])
		}
		differs = differs || math.Abs(float64(whole[i]-four[i])) > 1e-3
	}
	for j := range 384 {
		cosine += float64(four[j]) * float64(four[j])
	}
	if !differs || math.Abs(cosine-1) > 1e-4 {
		t.Errorf("differs %v, square of the length %v", differs, cosine)
	}
	enc, err := Load(dir, 2, o)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	if err := embed.Verify(context.Background(), enc); err != nil {
		t.Error(err)
	}
	for _, n := range []int{0, 7} {
		if _, err := Load(dir, n, o); err == nil {
			t.Errorf("%d layers were loaded", n)
		}
	}
}
