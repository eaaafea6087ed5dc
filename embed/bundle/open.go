package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Bundle is a trained model on disk that was found whole. It is immutable and safe for
// concurrent use.
type Bundle struct {
	dir      string
	manifest Manifest
}

// Open verifies the bundle in a directory, every byte of it. The directory's name must be
// the bundle's hash.
func Open(dir string, l Limits) (*Bundle, error) {
	l = l.withDefaults()
	m, err := ReadManifest(dir, l)
	if err != nil {
		return nil, err
	}
	b := &Bundle{dir: dir, manifest: m}
	if err := b.verify(); err != nil {
		return nil, named(dir, err)
	}
	return b, nil
}

// ReadManifest reads a bundle's manifest and checks it alone, not the payloads.
func ReadManifest(dir string, l Limits) (Manifest, error) {
	m, err := readManifest(dir, l.withDefaults())
	return m, named(dir, err)
}

func named(dir string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bundle %s: %w", Hash(filepath.Base(dir)).Short(), err)
}

func readManifest(dir string, l Limits) (Manifest, error) {
	raw, err := readAtMost(filepath.Join(dir, ManifestFile), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return Manifest{}, fmt.Errorf("%w in %s", ErrNotFound, dir)
		}
		return Manifest{}, damaged(ErrMissing, "%s", ManifestFile)
	}
	if err != nil {
		return Manifest{}, err
	}
	m, err := parse(raw, l)
	if err == nil && string(m.Hash) != filepath.Base(dir) {
		err = damaged(ErrHash, "the directory is named %.80q, the manifest says %s", filepath.Base(dir), m.Hash.Short())
	}
	return m, err
}

// readAtMost reads a regular file of at most so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, damaged(ErrUnlisted, "%s is no regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrLimit, filepath.Base(path), most)
	}
	return raw, err
}

// verify compares the directory with the manifest.
func (b *Bundle) verify() error {
	err := filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(b.dir, path)
		if err != nil || name == "." || name == ManifestFile {
			return err
		}
		name = filepath.ToSlash(name)
		if e.IsDir() {
			if !b.hasFolder(name) {
				return damaged(ErrUnlisted, "folder %.80q", name)
			}
			return nil
		}
		f, ok := b.manifest.File(name)
		if !ok || !e.Type().IsRegular() {
			return damaged(ErrUnlisted, "%.80q", name)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() != f.Size {
			return damaged(ErrSize, "%s has %d bytes, the manifest says %d", name, info.Size(), f.Size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range b.manifest.Files {
		if err := b.copy(io.Discard, f); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bundle) hasFolder(name string) bool {
	return slices.ContainsFunc(b.manifest.Files, func(f File) bool {
		return len(f.Name) > len(name) && f.Name[:len(name)] == name && f.Name[len(name)] == '/'
	})
}

// copy copies a file to w and compares its hash at the end.
func (b *Bundle) copy(w io.Writer, f File) error {
	in, err := os.Open(b.Path(f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(ErrMissing, "%s", f.Name)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(in, f.Size))
	if err != nil {
		return fmt.Errorf("file %s: %w", f.Name, err)
	}
	var more [1]byte
	if extra, _ := in.Read(more[:]); n != f.Size || extra > 0 {
		return damaged(ErrSize, "%s does not have the %d bytes that the manifest says", f.Name, f.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return damaged(ErrHash, "%s has %s, the manifest says %s", f.Name, Hash(got).Short(), Hash(f.SHA256).Short())
	}
	return nil
}

// Manifest describes the bundle. Its slices must not be changed.
func (b *Bundle) Manifest() Manifest { return b.manifest }

// Hash is the bundle's name.
func (b *Bundle) Hash() Hash { return b.manifest.Hash }

// Dir is where the bundle lies.
func (b *Bundle) Dir() string { return b.dir }

// Path is where a payload lies, for readers that want a file or, for a name that ends in
// "/", a folder. Open has verified it.
func (b *Bundle) Path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

// Has reports whether there is a payload of a name.
func (b *Bundle) Has(name string) bool { _, ok := b.manifest.File(name); return ok }

// ReadFile reads a payload whole and verifies what it returns. ErrNotFound: there is none
// of that name.
func (b *Bundle) ReadFile(name string) ([]byte, error) {
	f, ok := b.manifest.File(name)
	if !ok {
		return nil, named(b.dir, fmt.Errorf("%w: it has no file %q", ErrNotFound, name))
	}
	out := bytes.NewBuffer(make([]byte, 0, f.Size))
	if err := b.copy(out, f); err != nil {
		return nil, named(b.dir, err)
	}
	return out.Bytes(), nil
}
