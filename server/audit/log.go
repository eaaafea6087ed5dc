package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/server/internal/disk"
)

// Options are how a Log is kept.
type Options struct {
	// MaxBytes bounds the entries of a tenant. 0: 16 MiB. At least 8 KiB.
	MaxBytes int64
	// NoSync leaves it to the system when entries reach the disk: for tests.
	NoSync bool
}

const (
	defaultMaxBytes = 16 << 20
	minMaxBytes     = 8 << 10
)

// Log is the audit log of all tenants.
type Log struct {
	dir     string
	options Options

	mu      sync.Mutex
	tenants map[string]*tenant
}

// tenant is one tenant's files; mu guards them.
type tenant struct {
	mu     sync.Mutex
	name   string
	next   int64 // id of the next act
	size   int64 // of the newer file
	opened bool  // next and size are known
}

// Open returns the log in a folder, which is made if it does not exist.
func Open(dir string, options Options) (*Log, error) {
	if options.MaxBytes == 0 {
		options.MaxBytes = defaultMaxBytes
	}
	if options.MaxBytes < minMaxBytes {
		return nil, fmt.Errorf("audit: %d bytes for a tenant, at least %d are needed", options.MaxBytes, minMaxBytes)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &Log{dir: dir, options: options, tenants: map[string]*tenant{}}, nil
}

// Begin writes an act that is about to be done into the log of e.Tenant and returns its id.
// ID, Code and Duration of e are ignored. After an error the act must not be done.
func (l *Log) Begin(e Entry) (id int64, err error) {
	t := l.of(e.Tenant)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := l.open(t); err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	e.ID = t.next
	if err := l.append(t, e.line()); err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	t.next++
	return e.ID, nil
}

// End writes how the act of an id ended.
func (l *Log) End(tenant string, id int64, code string, took time.Duration) error {
	t := l.of(tenant)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := l.open(t); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := l.append(t, line{End: id, Code: clean(code), Duration: took}); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Copy gives the files of a tenant as they are now, the older one first; one that is not
// there, or is empty, is left out. A folder with these files, under these names, is a log.
func (l *Log) Copy(tenant string, give func(name string, content []byte) error) error {
	type file struct {
		name    string
		content []byte
	}
	var files []file
	t := l.of(tenant)
	t.mu.Lock()
	for _, old := range []bool{true, false} {
		path := l.path(tenant, old)
		raw, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.mu.Unlock()
			return fmt.Errorf("audit: %w", err)
		}
		if len(raw) > 0 {
			files = append(files, file{filepath.Base(path), raw})
		}
	}
	t.mu.Unlock()
	for _, f := range files {
		if err := give(f.name, f.content); err != nil {
			return err
		}
	}
	return nil
}

// of returns a tenant's state.
func (l *Log) of(name string) *tenant {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.tenants[name]
	if !ok {
		t = &tenant{name: name, next: 1}
		l.tenants[name] = t
	}
	return t
}

// path returns the newer file of a tenant, or with old the older one.
func (l *Log) path(name string, old bool) string {
	if old {
		name += ".old"
	}
	return filepath.Join(l.dir, name+".jsonl")
}

// open finds out where a tenant's log ends. A line that a crash cut short is ended, so that
// the next one stands by itself.
func (l *Log) open(t *tenant) error {
	if t.opened {
		return nil
	}
	var last int64
	err := l.read(t.name, func(n line) { last = max(last, n.ID, n.End) })
	if err != nil {
		return err
	}
	t.next, t.size = last+1, 0
	raw, err := os.ReadFile(l.path(t.name, false))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	t.size, t.opened = int64(len(raw)), true
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		return l.write(t, []byte{'\n'})
	}
	return nil
}

// append adds a line, and first makes room for it.
func (l *Log) append(t *tenant, n line) error {
	raw, err := n.encode()
	if err != nil {
		return err
	}
	if t.size+int64(len(raw)) > l.options.MaxBytes/2 {
		if err := os.Rename(l.path(t.name, false), l.path(t.name, true)); err != nil {
			return err
		}
		t.size = 0
	}
	return l.write(t, raw)
}

// write adds bytes to the newer file, through to the disk. What was written by half is cut
// off again, or at least not followed on the same line.
func (l *Log) write(t *tenant, raw []byte) (err error) {
	path := l.path(t.name, false)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(raw); err != nil {
		t.opened = false // what is there now must be looked at
		return errors.Join(err, f.Truncate(t.size))
	}
	fresh := t.size == 0
	t.size += int64(len(raw))
	if l.options.NoSync {
		return nil
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if fresh {
		return disk.SyncDir(l.dir)
	}
	return nil
}
