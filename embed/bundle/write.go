package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Payload writes the bytes of a file.
type Payload func(w io.Writer) error

// LeftoverPrefix begins the names of directories that are being written.
const LeftoverPrefix = ".writing-"

// IsLeftover reports whether a name in a directory of bundles is of one that is being
// written, or was when the process ended.
func IsLeftover(name string) bool { return strings.HasPrefix(name, LeftoverPrefix) }

// Write makes a bundle under a directory, which it makes where there is none, and returns
// it: root/HASH. Format, Hash and Files of the manifest are filled in. Where that bundle
// is there already it stays, unless it is damaged: then the new one takes its place.
func Write(root string, m Manifest, payloads map[string]Payload, l Limits) (*Bundle, error) {
	return write(osDisk{}, root, m, payloads, l.withDefaults())
}

func write(d disk, root string, m Manifest, payloads map[string]Payload, l Limits) (*Bundle, error) {
	m.Format, m.Files = Format, nil
	m.normalize()
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(payloads) > maxFiles {
		return nil, fmt.Errorf("%w: %d payloads, at most %d are taken", ErrInvalid, len(payloads), maxFiles)
	}
	return place(d, root, l, func(w *builder) (*Manifest, error) {
		for _, name := range slices.Sorted(maps.Keys(payloads)) {
			if err := checkName(name); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			f, err := w.payload(name, payloads[name])
			if err != nil {
				return nil, err
			}
			m.Files = append(m.Files, f)
		}
		return &m, nil
	})
}

// place has a bundle built in a directory of its own, makes it outlive a power cut, and
// only then gives it its name. On an error nothing is left.
func place(d disk, root string, l Limits, build func(*builder) (*Manifest, error)) (b *Bundle, err error) {
	if err := d.mkdirAll(root); err != nil {
		return nil, fmt.Errorf("directory of bundles: %w", full(err))
	}
	temp, err := d.mkdirTemp(root, LeftoverPrefix)
	if err != nil {
		return nil, fmt.Errorf("writing a bundle: %w", full(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing a bundle: %w", full(err)), d.removeAll(temp))
		}
	}()
	w := &builder{disk: d, dir: temp, left: l.Bytes, bound: l.Bytes, folders: map[string]bool{temp: true}}
	m, err := build(w)
	if err != nil {
		return nil, err
	}
	raw, err := m.seal()
	if err != nil {
		return nil, err
	}
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("%w: the manifest has %d bytes, at most %d are taken", ErrLimit, len(raw), maxManifest)
	}
	if err := w.write(ManifestFile, func(out io.Writer) error { _, err := out.Write(raw); return err }); err != nil {
		return nil, err
	}
	if err := w.syncFolders(); err != nil {
		return nil, err
	}
	return settle(d, temp, filepath.Join(root, string(m.Hash)), *m, l)
}

// settle gives a whole bundle its name.
func settle(d disk, temp, path string, m Manifest, l Limits) (*Bundle, error) {
	switch there, err := Open(path, l); {
	case err == nil:
		return there, d.removeAll(temp) // the same one
	case !errors.Is(err, ErrNotFound):
		if err := d.removeAll(path); err != nil {
			return nil, err
		}
	}
	if err := d.rename(temp, path); err != nil {
		// Another process may have been first.
		if there, openErr := Open(path, l); openErr == nil {
			return there, d.removeAll(temp)
		}
		return nil, err
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, d.removeAll(path))
	}
	return &Bundle{dir: path, manifest: m}, nil
}

// builder writes the files of one bundle.
type builder struct {
	disk        disk
	dir         string
	left, bound int64 // bytes of payloads that may still come, and might
	folders     map[string]bool
}

// payload writes one and describes it.
func (w *builder) payload(name string, p Payload) (File, error) {
	sum := &counted{hash: sha256.New(), left: w.left, bound: w.bound}
	if err := w.write(name, func(out io.Writer) error { sum.out = out; return p(sum) }); err != nil {
		return File{}, fmt.Errorf("file %s: %w", name, err)
	}
	w.left -= sum.size
	return File{Name: name, Size: sum.size, SHA256: hex.EncodeToString(sum.hash.Sum(nil))}, nil
}

// write creates a file and brings it to the disk.
func (w *builder) write(name string, fill Payload) (err error) {
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := w.folder(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := w.disk.create(path)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// folder makes a directory of the bundle and notes it, with those above it.
func (w *builder) folder(path string) error {
	if w.folders[path] {
		return nil
	}
	if err := w.disk.mkdirAll(path); err != nil {
		return err
	}
	for ; !w.folders[path]; path = filepath.Dir(path) {
		w.folders[path] = true
	}
	return nil
}

func (w *builder) syncFolders() error {
	for _, path := range slices.Sorted(maps.Keys(w.folders)) {
		if err := w.disk.syncDir(path); err != nil {
			return err
		}
	}
	return nil
}

// counted hashes what passes and stops past a bound.
type counted struct {
	out         io.Writer
	hash        hash.Hash
	size        int64
	left, bound int64
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left-c.size {
		return 0, fmt.Errorf("%w: its files have more than %d bytes", ErrLimit, c.bound)
	}
	n, err := c.out.Write(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	return n, err
}

// CopyFile is the payload that a file on disk holds.
func CopyFile(path string) Payload {
	return func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return errors.Join(err, f.Close())
	}
}

// CopyFolder returns the payloads of a folder on disk, under a prefix such as TextFolder.
func CopyFolder(prefix, dir string) (map[string]Payload, error) {
	payloads := map[string]Payload{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		payloads[prefix+filepath.ToSlash(name)] = CopyFile(path)
		return nil
	})
	return payloads, err
}
