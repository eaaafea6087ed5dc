package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/server/record"
)

func testVectors[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	const dim = 3
	old, model := record.HashModel("old", dim), record.HashModel("model", dim)
	var texts []record.TextHash
	var rows []float32
	for i := range 10 {
		texts = append(texts, record.HashText(fmt.Sprint("text ", i)))
		rows = append(rows, float32(i), -0.5, 1e-30)
	}
	put := func(tenant T, m record.ModelHash, from, until int) {
		t.Helper()
		if err := tenant.PutVectors(m, texts[from:until], rows[from*dim:until*dim]); err != nil {
			t.Fatal(err)
		}
	}
	has := func(m record.ModelHash, dim int) map[int]bool {
		t.Helper()
		found := map[int]bool{}
		if err := f.tenant.ReadVectors(m, dim, texts, func(i int, vector []float32) {
			found[i] = true
			if !slices.Equal(vector, rows[i*dim:(i+1)*dim]) {
				t.Errorf("vector %d came back as %v", i, vector)
			}
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := func(m record.ModelHash, places ...int) {
		t.Helper()
		if found := slices.Sorted(maps.Keys(has(m, dim))); !slices.Equal(found, places) {
			t.Errorf("vectors of the texts %v, want %v", found, places)
		}
	}
	want(model)
	put(f.tenant, old, 0, 4)
	put(f.tenant, model, 2, 8)
	put(f.tenant, model, 7, 9) // again, and one more
	put(f.create(record.Tenant{Name: "other"}), model, 0, 10)
	want(old, 0, 1, 2, 3)
	want(model, 2, 3, 4, 5, 6, 7, 8)
	if n := len(has(record.HashModel("model", 2), 2)); n != 0 {
		t.Errorf("%d vectors of another dimension", n)
	}
	f.restart()
	want(model, 2, 3, 4, 5, 6, 7, 8)

	// A sweep in small steps sees each vector once, and takes what is unused.
	seen, removed := 0, 0
	for from, first := []byte(nil), true; first || from != nil; first = false {
		next, n, err := f.tenant.SweepVectors(t.Context(), from, 3, func(m record.ModelHash, text record.TextHash) bool {
			seen++
			return m == old || text == texts[5]
		})
		if err != nil || n > 3 {
			t.Fatalf("a step of at most 3 removed %d: %v", n, err)
		}
		removed, from = removed+n, next
	}
	if seen != 11 || removed != 5 {
		t.Errorf("%d vectors were seen and %d removed, want 11 and 5", seen, removed)
	}
	want(old)
	want(model, 2, 3, 4, 6, 7, 8)
	other, err := f.store.Tenant("other")
	if err != nil {
		t.Fatal(err)
	}
	f.tenant = other
	want(model, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err := f.tenant.PutVectors(model, texts[:2], rows[:5]); !errors.Is(err, record.ErrInvalid) {
		t.Errorf("5 float32 for 2 texts: %v", err)
	}
	if err := f.tenant.PutVectors(model, texts[:1], make([]float32, 1<<20)); !errors.Is(err, record.ErrLimit) {
		t.Errorf("a vector of a million components: %v", err)
	}
	if err := f.tenant.PutVectors(model, nil, nil); err != nil {
		t.Errorf("no vectors: %v", err)
	}
}
