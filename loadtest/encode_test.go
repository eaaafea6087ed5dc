package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio"

	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

// writeEncoder writes a small random encoder and gives its folder.
func writeEncoder(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEncodePrintsALineForEachShape(t *testing.T) {
	code, out, log := call(t, "encode", "--model", writeEncoder(t), "--backend", "go", "--shapes", "1x16,3x8", "--seconds", "0.05")
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for i, want := range []map[string]any{{"batch": 1.0, "tokens": 16.0}, {"batch": 3.0, "tokens": 8.0}} {
		var figures map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &figures); err != nil {
			t.Fatal(err)
		}
		if figures["batch"] != want["batch"] || figures["tokens"] != want["tokens"] || figures["backend"] != "go" ||
			figures["texts_per_s"].(float64) <= 0 || figures["gflop_per_s"].(float64) <= 0 || !strings.Contains(figures["encoder"].(string), "@sha256:") {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
}

func TestEncodeKeepsTheVectorsOfTexts(t *testing.T) {
	dir := t.TempDir()
	texts, out := filepath.Join(dir, "texts.txt"), filepath.Join(dir, "out.npy")
	if err := os.WriteFile(texts, []byte("desk lamp\n\nblack ink\r\n"+strings.Repeat("lamp ", 100)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for model, dim := range map[string]int{"static": 256, writeEncoder(t): transformertest.Small.Hidden} {
		code, printed, log := call(t, "encode", "--model", model, "--backend", "go", "--texts", texts, "--out", out)
		if code != 0 {
			t.Fatalf("code %d, %s", code, log)
		}
		figures := lastObject(t, printed)
		if figures["texts"] != 4.0 || figures["empty"] != 1.0 || figures["texts_per_s"].(float64) <= 0 {
			t.Errorf("%s: %s", model, printed)
		}
		if model != "static" && figures["truncated"] != 1.0 {
			t.Errorf("%s: %s; one text is too long", model, printed)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := npyio.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if shape := r.Header.Descr.Shape; len(shape) != 2 || shape[0] != 4 || shape[1] != dim {
			t.Fatalf("%s: shape %v", model, shape)
		}
		var rows []float32
		if err := r.Read(&rows); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			var length float64
			for _, x := range rows[i*dim : (i+1)*dim] {
				length += float64(x) * float64(x)
			}
			if want := map[bool]float64{true: 0, false: 1}[i == 1]; math.Abs(length-want) > 1e-4 {
				t.Errorf("%s: row %d has length %g, want %g", model, i, length, want)
			}
		}
	}
}

func TestEncodeFailsInOneLine(t *testing.T) {
	model := writeEncoder(t)
	for name, args := range map[string][]string{
		"a model that is not there":   {"--model", filepath.Join(model, "nothing")},
		"a shape that is none":        {"--model", model, "--shapes", "32"},
		"more tokens than are read":   {"--model", model, "--shapes", "1x33"},
		"texts that are not there":    {"--model", model, "--texts", filepath.Join(model, "nothing")},
		"vectors without texts":       {"--model", model, "--out", filepath.Join(model, "out.npy")},
		"a hub that may not be asked": {"--model", "kindred/nothing", "--offline"},
	} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		code, out, log := call(t, append([]string{"encode", "--backend", "go"}, args...)...)
		if code != 1 || out != "" || strings.Count(log, "\n") != 1 || !strings.HasPrefix(log, "loadtest: ") {
			t.Errorf("%s: code %d, %q, %q", name, code, out, log)
		}
	}
	if code, out, _ := call(t, "encode", "--help"); code != 0 || !strings.Contains(out, "go run ./loadtest encode --model") {
		t.Errorf("help: code %d, %s", code, out)
	}
}
