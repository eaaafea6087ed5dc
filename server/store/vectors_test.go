package store

import (
	"math"
	"testing"

	"github.com/kindred-rec/kindred/server/record"
)

func TestDamagedVectorsAreAbsentAndCanBePutAgain(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	model, text := record.HashModel("m", 2), record.HashText("a pen")
	read := func() (got []float32) {
		t.Helper()
		if err := tenant.ReadVectors(model, 2, []record.TextHash{text}, func(_ int, v []float32) { got = v }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for name, value := range map[string][]byte{
		"short":        encodeVector([]float32{1}),
		"long":         encodeVector([]float32{1, 2, 3}),
		"not finite":   encodeVector([]float32{1, float32(math.NaN())}),
		"other kind":   {format, valueOther, 0, 0, 0, 0, 0, 0, 0, 0},
		"other format": {9, valueVector, 0, 0, 0, 0, 0, 0, 0, 0},
		"empty":        {},
	} {
		damage(t, s, vectorKey(tenant.number, model, text), value)
		if got := read(); got != nil {
			t.Errorf("%s: read as %v", name, got)
		}
		if err := tenant.PutVectors(model, []record.TextHash{text}, []float32{0.6, 0.8}); err != nil {
			t.Fatal(err)
		}
		if got := read(); len(got) != 2 || got[0] != 0.6 || got[1] != 0.8 {
			t.Errorf("%s: put again and read as %v", name, got)
		}
	}
}
