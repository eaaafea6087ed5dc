// Package registry is the directory where a tenant's bundles lie.
//
// # The problem
//
// Models are trained every night, uploaded, compared, and forgotten. The few that matter
// must stay: the one that serves, the one it took the place of, and the latest. Which one
// serves is not written here: a promotion is a record of the tenant's log, which is
// ordered, durable and shared by replicas, and a second note of it could only disagree.
//
// # How to use it
//
//	r, err := registry.Open(dir, registry.Options{Keep: 10})
//	b, err := r.Receive(stream)          // or r.Write
//	b, release, err := r.Hold(b.Hash())  // verified; not removed until release
//	removed, err := r.Prune(serving, serving's parent)
//
// # The contract
//
// All methods are safe for concurrent use; one process at a time has the directory open,
// the one that holds the tenant's store. [Open] removes what a process that was killed
// left half written. [Registry.List] reads manifests alone, [Registry.Hold] verifies every
// byte. Prune never removes what is held, nor what it is told to keep.
package registry

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kindred-rec/kindred/embed/bundle"
)

// ErrAmbiguous: several bundles begin with the digits given.
var ErrAmbiguous = errors.New("several bundles begin so")

// Options say how a registry is kept. Zero fields take the default named.
type Options struct {
	// Keep is how many bundles Prune leaves, the newest, beside those it must not touch.
	// Default 10.
	Keep int
	// Limits bounds each bundle.
	Limits bundle.Limits
}

// Registry is an open directory of bundles.
type Registry struct {
	dir     string
	options Options

	mu   sync.Mutex // held for looks at the directory and removals, never while bytes are read
	held map[bundle.Hash]int
}

// Open opens a directory of bundles, which need not exist, and removes leftovers.
func Open(dir string, o Options) (*Registry, error) {
	if o.Keep <= 0 {
		o.Keep = 10
	}
	r := &Registry{dir: dir, options: o, held: map[bundle.Hash]int{}}
	entries, err := r.entries()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if bundle.IsLeftover(e.Name()) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("a half-written bundle: %w", err)
			}
		}
	}
	return r, nil
}

func (r *Registry) entries() ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("directory of bundles: %w", err)
	}
	return entries, nil
}

// Entry is a bundle of the directory, by its manifest.
type Entry struct {
	Hash     bundle.Hash
	Manifest bundle.Manifest // zero with Err
	Err      error           // why the manifest cannot be read; nil: it can
}

// List returns the bundles, the newest first, those that cannot be read last.
func (r *Registry) List() ([]Entry, error) {
	hashes, err := r.hashes()
	if err != nil {
		return nil, err
	}
	list := make([]Entry, 0, len(hashes))
	for _, h := range hashes {
		m, err := bundle.ReadManifest(r.path(h), r.options.Limits)
		if errors.Is(err, bundle.ErrNotFound) {
			continue // removed meanwhile
		}
		list = append(list, Entry{h, m, err})
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(b.Manifest.Created.Compare(a.Manifest.Created), cmp.Compare(a.Hash, b.Hash))
	})
	return list, nil
}

// hashes lists the directory. Names that are no hash are not ours.
func (r *Registry) hashes() ([]bundle.Hash, error) {
	entries, err := r.entries()
	if err != nil {
		return nil, err
	}
	var hashes []bundle.Hash
	for _, e := range entries {
		if h, err := bundle.ParseHash(e.Name()); err == nil {
			hashes = append(hashes, h)
		}
	}
	return hashes, nil
}

func (r *Registry) path(h bundle.Hash) string { return filepath.Join(r.dir, string(h)) }

// MinDigits is how much of a hash Find wants at least.
const MinDigits = 6

// Find returns the bundle whose hash begins with some digits. bundle.ErrNotFound, or
// ErrAmbiguous.
func (r *Registry) Find(digits string) (bundle.Hash, error) {
	if len(digits) < MinDigits || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.70q is no bundle: give %d to 64 hexadecimal digits of its hash: %w", digits, MinDigits, bundle.ErrInvalid)
	}
	hashes, err := r.hashes()
	if err != nil {
		return "", err
	}
	var found []bundle.Hash
	for _, h := range hashes {
		if strings.HasPrefix(string(h), digits) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("bundle %s: %w", digits, bundle.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: %w: %s, %s: give more digits", digits, ErrAmbiguous, found[0][:len(digits)+6], found[1][:min(64, len(digits)+6)])
}

// Manifest reads a bundle's manifest, and not its payloads.
func (r *Registry) Manifest(h bundle.Hash) (bundle.Manifest, error) {
	if _, err := bundle.ParseHash(string(h)); err != nil {
		return bundle.Manifest{}, err
	}
	return bundle.ReadManifest(r.path(h), r.options.Limits)
}

// Hold verifies a bundle and keeps it from being removed until release is called.
func (r *Registry) Hold(h bundle.Hash) (b *bundle.Bundle, release func(), err error) {
	if _, err := bundle.ParseHash(string(h)); err != nil {
		return nil, nil, err
	}
	r.hold(h, 1)
	if b, err = bundle.Open(r.path(h), r.options.Limits); err != nil {
		r.hold(h, -1)
		return nil, nil, err
	}
	return b, sync.OnceFunc(func() { r.hold(h, -1) }), nil
}

func (r *Registry) hold(h bundle.Hash, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[h] += by; r.held[h] == 0 {
		delete(r.held, h)
	}
}

// Write makes a bundle, as bundle.Write does.
func (r *Registry) Write(m bundle.Manifest, payloads map[string]bundle.Payload) (*bundle.Bundle, error) {
	return bundle.Write(r.dir, m, payloads, r.options.Limits)
}

// Receive takes a bundle from a stream, as bundle.Receive does.
func (r *Registry) Receive(stream io.Reader) (*bundle.Bundle, error) {
	return bundle.Receive(r.dir, stream, r.options.Limits)
}

// Prune removes what is older than the newest Keep bundles, and returns what it removed.
// Those named, such as what serves and its parent, stay and do not count; so do those
// that are held. What cannot be read counts as old.
func (r *Registry) Prune(keep ...bundle.Hash) ([]bundle.Hash, error) {
	list, err := r.List()
	if err != nil {
		return nil, err
	}
	var removed []bundle.Hash
	left := r.options.Keep
	for _, e := range list {
		if slices.Contains(keep, e.Hash) {
			continue
		}
		if left--; left >= 0 {
			continue
		}
		gone, err := r.remove(e.Hash)
		if err != nil {
			return removed, err
		}
		if gone {
			removed = append(removed, e.Hash)
		}
	}
	return removed, nil
}

// remove takes a bundle away, unless it is held. It loses its name first, so that a kill
// leaves a leftover and not half a bundle.
func (r *Registry) remove(h bundle.Hash) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[h] > 0 {
		return false, nil
	}
	away := filepath.Join(r.dir, bundle.LeftoverPrefix+string(h))
	err := os.Rename(r.path(h), away)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // somebody else did
	}
	if err == nil {
		err = os.RemoveAll(away)
	}
	if err != nil {
		return false, fmt.Errorf("removing bundle %s: %w", h.Short(), err)
	}
	return true, nil
}
