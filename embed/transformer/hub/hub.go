// Package hub brings a text encoder's files from the Hugging Face hub to this machine.
//
// # The problem
//
// A model's name on the hub stands for other weights tomorrow. Vectors of two versions
// cannot be compared, so a shop that restarts must get what it had, and must not depend
// on the network to get it.
//
// # Choices
//
// A revision is resolved to a commit once. What was then downloaded is written down
// beside it, file by file with its SHA-256 (the hub's own sums are checked too, where it
// has them). From then on the same name and revision mean these files: nothing is asked
// of the network, and a file that has changed is an error. To move on, name another
// revision, or remove the record that the error names.
//
// Files lie in the cache that Hugging Face's own tools use, so what those downloaded
// is not downloaded again.
//
// # How to use it
//
//	dir, err := hub.Source{Offline: false}.Fetch(ctx, "intfloat/e5-small-v2")
package hub

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gomlx/go-huggingface/hub"
	"github.com/google/renameio"
)

// Errors, wrapped with the model and the file.
var (
	// ErrOffline: something is not on this machine, and the network may not be asked.
	ErrOffline = errors.New("hub: not on this machine")

	// ErrChecksum: a file is not the one that was downloaded, or that the hub has.
	ErrChecksum = errors.New("hub: file has changed")
)

// Source says where models come from. The zero value is the hub's branch main.
type Source struct {
	// Revision is a branch, a tag or a commit; "" is main.
	Revision string

	// Offline forbids the network.
	Offline bool

	// CacheDir is where files are kept; "" is the cache of Hugging Face's tools.
	CacheDir string

	// Endpoint is the hub's address; "" is $HF_ENDPOINT or the public one.
	Endpoint string

	// Token is sent with requests, for models that are not public; "" is none.
	Token string
}

// needed are the files that say something about an encoder, if the model has them.
var needed = []string{"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
	"config_sentence_transformers.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"}

// record is what is written down about a download.
type record struct {
	Model    string            `json:"model"`
	Revision string            `json:"revision"` // as it was asked for
	Commit   string            `json:"commit"`
	SHA256   map[string]string `json:"sha256"` // of each file
}

// names are those that a model or a revision may have: they become parts of paths.
var (
	modelName    = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$`)
	revisionName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}$`)
	commitName   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// IsModel reports whether a name is one that the hub may have: owner/model.
func IsModel(name string) bool { return modelName.MatchString(name) && !strings.Contains(name, "..") }

// Fetch returns the folder of a model's files, which it downloads where they are not
// here yet. Files are read only. It is safe for concurrent use, by processes too.
func (s Source) Fetch(ctx context.Context, model string) (dir string, err error) {
	if !IsModel(model) {
		return "", fmt.Errorf("hub: model %.120q: want owner/model", model)
	}
	if s.Revision == "" {
		s.Revision = "main"
	}
	if !revisionName.MatchString(s.Revision) || strings.Contains(s.Revision, "..") {
		return "", fmt.Errorf("hub: revision %.120q: want a branch, tag or commit of letters, digits, '.', '_' and '-'", s.Revision)
	}
	if s.CacheDir == "" {
		s.CacheDir = hub.DefaultCacheDir()
	}
	r, err := s.readRecord(model)
	switch {
	case err == nil:
		dir = s.snapshot(model, r.Commit)
		missing, err := verify(dir, r.SHA256)
		if err != nil {
			return "", fmt.Errorf("%w; remove the file, or the record %s", err, s.recordPath(model))
		}
		if !missing {
			return dir, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if s.Offline {
		return "", fmt.Errorf("%w: %s at revision %s (looked in %s)", ErrOffline, model, s.Revision, s.CacheDir)
	}
	return s.download(ctx, model, r)
}

// folder is the model's in the cache.
func (s Source) folder(model string) string {
	return filepath.Join(s.CacheDir, "models--"+strings.ReplaceAll(model, "/", "--"))
}

func (s Source) snapshot(model, commit string) string {
	return filepath.Join(s.folder(model), "snapshots", commit)
}

func (s Source) recordPath(model string) string {
	return filepath.Join(s.folder(model), "kindred", s.Revision+".json")
}

func (s Source) readRecord(model string) (r record, err error) {
	content, err := os.ReadFile(s.recordPath(model))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil || !commitName.MatchString(r.Commit) || len(r.SHA256) == 0 {
		return r, fmt.Errorf("hub: %s is damaged; remove it to download again: %v", s.recordPath(model), err)
	}
	for name := range r.SHA256 {
		if !filepath.IsLocal(name) {
			return r, fmt.Errorf("hub: %s names the file %.80q; remove it to download again", s.recordPath(model), name)
		}
	}
	return r, nil
}

// verify compares files with their sums, and tells when one is missing.
func verify(dir string, sums map[string]string) (missing bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		sum, err := fileSum(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = true
		case err != nil:
			return false, err
		case sum != sums[name]:
			return false, fmt.Errorf("%w: %s has SHA-256 %s; want %s", ErrChecksum, filepath.Join(dir, name), sum, sums[name])
		}
	}
	return missing, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// download gets what is not here yet, of the recorded commit if there is one.
func (s Source) download(ctx context.Context, model string, known record) (string, error) {
	revision := s.Revision
	if known.Commit != "" {
		revision = known.Commit
	}
	repo := hub.New(model).WithRevision(revision).WithCacheDir(s.CacheDir).WithProgressBar(false).WithAuth(s.Token)
	repo.Verbosity = 0
	if s.Endpoint != "" {
		repo = repo.WithEndpoint(s.Endpoint)
	}
	if err := repo.DownloadInfo(true); err != nil {
		return "", fmt.Errorf("hub: %s at revision %s: %w", model, revision, err)
	}
	info := repo.Info()
	if !commitName.MatchString(info.CommitHash) {
		return "", fmt.Errorf("hub: %s at revision %s: the hub names the commit %.80q", model, revision, info.CommitHash)
	}
	sums := map[string]string{} // those that the hub knows
	var files []string
	for _, file := range info.Siblings {
		if !slices.Contains(needed, file.Name) {
			continue
		}
		files = append(files, file.Name)
		if file.LFS != nil && file.LFS.SHA256 != "" {
			sums[file.Name] = file.LFS.SHA256
		}
	}
	if !slices.Contains(files, "model.safetensors") || !slices.Contains(files, "config.json") {
		return "", fmt.Errorf("hub: %s has no config.json and model.safetensors; files of other formats are not read", model)
	}
	for _, name := range files { // one by one: the library counts several without a lock
		if _, err := repo.DownloadFileCtx(ctx, name); err != nil {
			return "", fmt.Errorf("hub: %s: %s: %w", model, name, err)
		}
	}
	dir := s.snapshot(model, info.CommitHash)
	for name, sum := range known.SHA256 {
		sums[name] = sum
	}
	if _, err := verify(dir, sums); err != nil {
		return "", err
	}
	return dir, s.write(model, dir, record{Model: model, Revision: s.Revision, Commit: info.CommitHash}, files)
}

// write records what was downloaded.
func (s Source) write(model, dir string, r record, files []string) error {
	r.SHA256 = map[string]string{}
	for _, name := range files {
		sum, err := fileSum(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		r.SHA256[name] = sum
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := s.recordPath(model)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return renameio.WriteFile(path, content, 0o644)
}
