package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The checked-in assembly is what this generator writes: nobody edits it by
// hand, and nobody changes the generator without running it.
func TestCheckedInKernelsAreGenerated(t *testing.T) {
	const kernel = "../.."
	files := []string{"kernels_amd64.s", "kernels_amd64.go"}
	dir := t.TempDir()
	args := []string{"run", "./internal/gen", "-out", filepath.Join(dir, files[0]), "-stubs", filepath.Join(dir, files[1]), "-pkg", "kernel"}
	cmd := exec.Command("go", args...)
	cmd.Dir = kernel
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, text)
	}
	for _, name := range files {
		fresh, checkedIn := body(t, filepath.Join(dir, name)), body(t, filepath.Join(kernel, name))
		if !bytes.Equal(fresh, checkedIn) {
			t.Errorf("%s differs from what the generator writes; run go generate in embed/internal/kernel", name)
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
