package hnsw

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

func TestCheckFileNamesAnAlteredFile(t *testing.T) {
	x, err := New(Config{Dim: 2, MaxItems: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(1, []float32{1, 0}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.hnsw")
	if err := x.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err != nil {
		t.Errorf("a good file: %v", err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 1 + len(good)/64 {
		bad := append([]byte(nil), good...)
		bad[at] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckFile(path); !errors.Is(err, index.ErrSnapshot) {
			t.Fatalf("with byte %d altered: %v", at, err)
		}
	}
	for _, n := range []int{0, 3, len(good) / 2} {
		if err := os.WriteFile(path, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckFile(path); !errors.Is(err, index.ErrSnapshot) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
