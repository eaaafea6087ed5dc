package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

// small writes a random teacher and a file of so many random texts.
func small(t *testing.T, texts int) (teacher, file string) {
	t.Helper()
	dir := t.TempDir()
	teacher, file = filepath.Join(dir, "teacher"), filepath.Join(dir, "texts.txt")
	if err := transformertest.Write(teacher, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields("desk lamp black paper ink pen gel blue red office chair query passage naive cafe")
	r := rand.New(rand.NewPCG(1, 1))
	var lines strings.Builder
	for i := range texts {
		for range 3 + r.IntN(6) {
			lines.WriteString(words[r.IntN(len(words))] + " ")
		}
		fmt.Fprintln(&lines, i)
	}
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return teacher, file
}

// call runs the command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	code = run(t.Context(), args, &o, &l)
	return code, o.String(), l.String()
}

func mustCall(t *testing.T, args ...string) (out string) {
	t.Helper()
	code, out, log := call(t, args...)
	if code != 0 {
		t.Fatalf("%q: exit code %d: %s", args, code, log)
	}
	return out
}

func content(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATableWithoutTextsCanBeServed(t *testing.T) {
	teacher, _ := small(t, 0)
	out := filepath.Join(t.TempDir(), "table")
	mustCall(t, "--teacher", teacher, "--out", out, "--dim", "16", "--backend", "go")
	e, err := static.LoadDir(out)
	if err != nil || e.Info().Dim != 16 || e.Tokenizer().Vocabulary().Len() != len(transformertest.Words) {
		t.Fatalf("table %+v, error %v", e, err)
	}
	if !bytes.Equal(content(t, out, "vocab.txt"), content(t, teacher, "vocab.txt")) {
		t.Error("the vocabulary is not the teacher's")
	}
}

// The learned table is nearer to the teacher than the one without texts, on texts that
// it did not see; the figures printed are those that --evaluate finds; and the seed
// alone decides the file.
func TestATableLearnedFromTexts(t *testing.T) {
	teacher, texts := small(t, 400)
	dir := t.TempDir()
	learn := func(name, seed string) manifest {
		var m manifest
		line := mustCall(t, "--teacher", teacher, "--out", filepath.Join(dir, name), "--texts", texts, "--holdout", "--dim", "24",
			"--pieces", "300", "--steps", "150", "--rate", "0.02", "--seed", seed, "--cache", filepath.Join(dir, "cache"), "--backend", "go", "--json")
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := learn("one", "1")
	overlap := map[string]float64{}
	for _, f := range m.Figures {
		overlap[f.Part+" "+f.Table] = f.Overlap
	}
	if overlap["test learned"] < overlap["test reproduced"]+0.05 || overlap["validation learned"] < overlap["validation reproduced"]+0.05 {
		t.Errorf("figures %+v; want the learned ones clearly above", m.Figures)
	}
	l := m.Learning
	if l == nil || l.Fit != 160 || l.Validation != 40 || l.Test != 200 || l.Steps < 1 || len(l.Curve) == 0 {
		t.Errorf("learning %+v", l)
	}
	var e struct {
		Overlap float64 `json:"overlap_at_10"`
		Texts   int
	}
	line := mustCall(t, "--teacher", teacher, "--evaluate", filepath.Join(dir, "one"), "--texts", texts, "--part", "odd", "--backend", "go")
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Texts != 200 || e.Overlap != overlap["test learned"] {
		t.Errorf("--evaluate prints %s, error %v; want the manifest's %v", line, err, overlap["test learned"])
	}
	var written manifest
	if err := json.Unmarshal(content(t, dir, "one", "manifest.json"), &written); err != nil || len(written.Figures) != 6 || len(written.Files) != 2 {
		t.Errorf("manifest on disk %+v, error %v", written, err)
	}
	if readme := string(content(t, dir, "one", "README.md")); !strings.Contains(readme, fmt.Sprintf("| test | 200 | learned | %.3f |", overlap["test learned"])) {
		t.Errorf("README.md lacks the figure:\n%s", readme)
	}
	learn("again", "1")
	learn("other", "2")
	one := content(t, dir, "one", "model.safetensors")
	if !bytes.Equal(one, content(t, dir, "again", "model.safetensors")) {
		t.Error("the same seed gave another table")
	}
	if bytes.Equal(one, content(t, dir, "other", "model.safetensors")) {
		t.Error("another seed gave the same table")
	}
}

func TestRefusesInOneLine(t *testing.T) {
	teacher, texts := small(t, 150)
	table := filepath.Join(t.TempDir(), "table")
	mustCall(t, "--teacher", teacher, "--out", table, "--dim", "8", "--backend", "go")
	bpe := t.TempDir()
	if err := os.WriteFile(filepath.Join(bpe, "tokenizer.json"), []byte(`{"model":{"type":"BPE"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	for _, try := range []struct {
		code  int
		names string
		args  []string
	}{
		{2, "--teacher", []string{"--out", fresh}},
		{2, "--out", []string{"--teacher", teacher}},
		{2, "--evaluate", []string{"--teacher", teacher, "--out", fresh, "--evaluate", "static"}},
		{2, "--texts", []string{"--teacher", teacher, "--evaluate", "static"}},
		{2, "--holdout", []string{"--teacher", teacher, "--out", fresh, "--holdout"}},
		{2, "--part", []string{"--teacher", teacher, "--out", fresh, "--part", "odd"}},
		{2, "--dim 0", []string{"--teacher", teacher, "--out", fresh, "--dim", "0"}},
		{2, "learning rate", []string{"--teacher", teacher, "--out", fresh, "--rate", "7"}},
		{1, "32 components", []string{"--teacher", teacher, "--out", fresh, "--backend", "go"}},
		{1, "--force", []string{"--teacher", teacher, "--out", table, "--dim", "8"}},
		{1, "BPE", []string{"--teacher", bpe, "--out", fresh}},
		{1, "75 texts", []string{"--teacher", teacher, "--out", fresh, "--texts", texts, "--holdout", "--dim", "8", "--backend", "go"}},
		{1, "no such file", []string{"--teacher", teacher, "--out", fresh, "--texts", filepath.Join(fresh, "absent")}},
		{1, "no such file", []string{"--teacher", teacher, "--evaluate", fresh, "--texts", texts, "--backend", "go"}},
	} {
		code, _, log := call(t, try.args...)
		if code != try.code || !strings.Contains(log, try.names) || strings.Count(log, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q; want %d and one line naming %q", try.args, code, log, try.code, try.names)
		}
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("what was refused left something behind: %v", err)
	}
	mustCall(t, "--teacher", teacher, "--out", table, "--dim", "8", "--backend", "go", "--force")
}

func TestHelpHasAnExample(t *testing.T) {
	if out := mustCall(t, "--help"); !strings.Contains(out, "go run ./embed/static/distill --teacher") {
		t.Errorf("help:\n%s", out)
	}
}
