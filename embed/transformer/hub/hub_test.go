package hub_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/hub"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

const (
	model  = "kindred/tiny"
	commit = "0123456789abcdef0123456789abcdef01234567"
)

// fakeHub serves one model as the hub does.
type fakeHub struct {
	*httptest.Server
	dir      string
	requests atomic.Int64
	sum      string // of the weights, as the hub has it
}

func newHub(t *testing.T) *fakeHub {
	t.Helper()
	h := &fakeHub{dir: t.TempDir()}
	if err := transformertest.Write(h.dir, transformertest.Small, 5); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(h.dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	h.sum = fmt.Sprintf("%x", sha256.Sum256(weights))
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	if strings.HasPrefix(r.URL.Path, "/api/models/"+model+"/revision/") {
		files := []map[string]any{{"rfilename": "README.md"}, {"rfilename": "pytorch_model.bin"}}
		for _, name := range []string{"config.json", "modules.json", "1_Pooling/config.json", "vocab.txt", "tokenizer_config.json", "sentence_bert_config.json"} {
			files = append(files, map[string]any{"rfilename": name})
		}
		files = append(files, map[string]any{"rfilename": "model.safetensors", "lfs": map[string]any{"sha256": h.sum}})
		_ = json.NewEncoder(w).Encode(map[string]any{"id": model, "sha": commit, "siblings": files})
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+model+"/resolve/"+commit+"/")
	if !ok || strings.HasSuffix(name, ".bin") {
		http.NotFound(w, r)
		return
	}
	content, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content))))
	w.Header().Set("X-Repo-Commit", commit)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
}

func TestAModelIsDownloadedOnceAndThenNeedsNoNetwork(t *testing.T) {
	h := newHub(t)
	from := hub.Source{CacheDir: t.TempDir(), Endpoint: h.URL}
	enc, err := transformer.Open(t.Context(), model, from, transformer.Options{Backend: transformer.Go})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	if enc.Info().Dim != transformertest.Small.Hidden {
		t.Errorf("info is %+v", enc.Info())
	}
	asked := h.requests.Load()
	from.Offline = true
	dir, err := from.Fetch(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	if h.requests.Load() != asked {
		t.Error("the network was asked again")
	}
	if !strings.Contains(dir, commit) {
		t.Errorf("the folder %s is not the commit's", dir)
	}
	from.Revision = "v2"
	if _, err := from.Fetch(t.Context(), model); !errors.Is(err, hub.ErrOffline) || !strings.Contains(err.Error(), "v2") {
		t.Errorf("another revision, offline: %v", err)
	}
}

func TestAFileThatChangedIsRefused(t *testing.T) {
	h := newHub(t)
	from := hub.Source{CacheDir: t.TempDir(), Endpoint: h.URL}
	dir, err := from.Fetch(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "vocab.txt")
	if err := os.Remove(path); err != nil { // it is a link
		t.Fatal(err)
	}
	if _, err := (hub.Source{CacheDir: from.CacheDir, Offline: true}).Fetch(t.Context(), model); !errors.Is(err, hub.ErrOffline) {
		t.Errorf("a missing file, offline: %v", err)
	}
	if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Fetch(t.Context(), model); !errors.Is(err, hub.ErrChecksum) || !strings.Contains(err.Error(), "vocab.txt") {
		t.Errorf("a changed file: %v", err)
	}
}

func TestADownloadIsCheckedAgainstTheHubsSum(t *testing.T) {
	h := newHub(t)
	h.sum = strings.Repeat("0", 64)
	_, err := hub.Source{CacheDir: t.TempDir(), Endpoint: h.URL}.Fetch(t.Context(), model)
	if !errors.Is(err, hub.ErrChecksum) || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatLeaveTheCacheAreRefused(t *testing.T) {
	for _, name := range []string{"", "tiny", "../x", "a/../b", "a/b/c", "/etc", "a/..", `a\b/c`} {
		if _, err := (hub.Source{CacheDir: t.TempDir(), Offline: true}).Fetch(t.Context(), name); err == nil || errors.Is(err, hub.ErrOffline) {
			t.Errorf("model %q: %v", name, err)
		}
	}
	for _, revision := range []string{"../x", "a/b", "..", "a..b"} {
		if _, err := (hub.Source{CacheDir: t.TempDir(), Offline: true, Revision: revision}).Fetch(t.Context(), model); err == nil || errors.Is(err, hub.ErrOffline) {
			t.Errorf("revision %q: %v", revision, err)
		}
	}
}
