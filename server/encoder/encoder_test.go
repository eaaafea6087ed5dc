package encoder_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
	"github.com/kindred-rec/kindred/server/encoder"
	"github.com/kindred-rec/kindred/server/worker"
)

func TestTheEmbeddedTableIsImmediate(t *testing.T) {
	e, err := encoder.Open(t.Context(), encoder.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	if !embed.IsImmediate(e) || e.Info() != table.Info() {
		t.Errorf("opened is %v", e.Info())
	}
	if err := errors.Join(embed.Verify(t.Context(), e), embed.Verify(t.Context(), e.Queries()), e.Close()); err != nil {
		t.Error(err)
	}
}

func TestATransformerRunsInProcessWithItsOwnPrompts(t *testing.T) {
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(t.Context(), encoder.Config{Name: dir, Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if embed.IsImmediate(e) {
		t.Error("a transformer is not immediate")
	}
	dim := e.Info().Dim
	query, plain, spelled := make([]float32, dim), make([]float32, dim), make([]float32, dim)
	err = errors.Join(embed.Verify(t.Context(), e), e.Queries().Encode(t.Context(), []string{"desk lamp"}, query),
		e.Encode(t.Context(), []string{"desk lamp"}, plain), e.Encode(t.Context(), []string{"query: desk lamp"}, spelled))
	if err != nil {
		t.Fatal(err)
	}
	var like, unlike float64
	for i := range query {
		like += float64(query[i]) * float64(spelled[i])
		unlike += float64(query[i]) * float64(plain[i])
	}
	if like < .9999 || unlike > .9999 {
		t.Errorf("a query is like its text with the prompt by %v, and without by %v", like, unlike)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Encode(context.Background(), []string{"desk"}, plain); !errors.Is(err, embed.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// start runs a worker that serves the embedded table.
func start(t *testing.T, listen string, keys worker.Keys) *worker.Worker {
	t.Helper()
	w, err := worker.Start(t.Context(), worker.Config{Model: worker.ModelConfig{Name: "static"}, Listen: listen, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAServiceStartsBeforeItsWorkers(t *testing.T) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	key := hex.EncodeToString(raw)
	keys, err := worker.ReadKeys(strings.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "data", "encoder.json")
	w := start(t, "127.0.0.1:0", keys)
	addr := w.Addr()
	config := encoder.Config{Name: encoder.Remote, Remote: remote.Config{Addrs: []string{addr}, Key: key, BreakerPause: 1}, File: file}
	e, err := encoder.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	info := e.Info()
	if embed.IsImmediate(e) {
		t.Error("a worker is not immediate")
	}
	if err := errors.Join(embed.Verify(t.Context(), e), e.Close(), w.Stop()); err != nil {
		t.Fatal(err)
	}
	if e, err = encoder.Open(t.Context(), config); err != nil {
		t.Fatalf("without a worker: %v", err)
	}
	if e.Info() != info || embed.IsImmediate(e) {
		t.Errorf("without a worker: %v, want %v", e.Info(), info)
	}
	out := make([]float32, info.Dim)
	for range 2 {
		if err := e.Encode(t.Context(), []string{"lamp"}, out); !errors.Is(err, embed.ErrUnavailable) {
			t.Errorf("without a worker: %v", err)
		}
	}
	w = start(t, addr, keys)
	if err := errors.Join(embed.Verify(context.Background(), e), embed.Verify(context.Background(), e.Queries())); err != nil {
		t.Errorf("when it is there: %v", err)
	}
	if err := errors.Join(e.Close(), w.Stop()); err != nil {
		t.Error(err)
	}
	// Of another model than before it is refused.
	if err := os.WriteFile(file, []byte(`{"model":"other","dimension":256}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err = encoder.Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	w = start(t, addr, keys)
	if err := e.Encode(t.Context(), []string{"lamp"}, out); !errors.Is(err, remote.ErrModelMismatch) {
		t.Errorf("of another model: %v", err)
	}
	if err := errors.Join(e.Close(), w.Stop()); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	nobody := []string{"127.0.0.1:1"}
	for want, c := range map[string]encoder.Config{
		"no worker is named":        {Name: encoder.Remote},
		"name the encoder remote":   {Name: "static", Remote: remote.Config{Addrs: nobody}},
		"`server embed`":            {Name: encoder.Remote, Remote: remote.Config{Addrs: nobody}},
		"there was none":            {Name: encoder.Remote, Remote: remote.Config{Addrs: nobody}, File: filepath.Join(t.TempDir(), "none")},
		"xla:cuda cannot compute":   {Name: "static", Backend: "xla:cuda"},
		"Key would go to gpu:50061": {Name: encoder.Remote, Remote: remote.Config{Addrs: []string{"gpu:50061"}, Key: "secret-of-mine"}},
	} {
		_, err := encoder.Open(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-of-mine") {
			t.Errorf("%+v: got %v, want %q", c, err, want)
		}
	}
}
