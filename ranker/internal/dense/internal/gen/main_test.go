package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The checked-in assembly is what this generator writes.
func TestCheckedInKernelsAreGenerated(t *testing.T) {
	const dense = "../.."
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./internal/gen",
		"-out", filepath.Join(dir, "kernels_amd64.s"), "-stubs", filepath.Join(dir, "kernels_amd64.go"), "-pkg", "dense")
	cmd.Dir = dense
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, name := range []string{"kernels_amd64.s", "kernels_amd64.go"} {
		if !bytes.Equal(body(t, filepath.Join(dir, name)), body(t, filepath.Join(dense, name))) {
			t.Errorf("%s differs from what the generator writes; run go generate in ranker/internal/dense", name)
		}
	}
}

// body is the file without its first line, which holds the command's paths.
func body(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	return rest
}
