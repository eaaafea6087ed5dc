package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/server/internal/disk"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

// TakeOptions says how a backup is taken.
type TakeOptions struct {
	// Full begins a new chain.
	Full bool
	// Progress, if not nil, is told of rows and bytes as they come.
	Progress func(rows, bytes int64)
}

// saveEvery is how many bytes may come between two notes of how far a backup is.
const saveEvery = 8 << 20

// Take takes a backup into a directory, which it makes where there is none, and returns
// its manifest: the first is full, the others add to the one before. One that broke off
// goes on. ErrFull: it cannot add to the one before, because the store was restored since
// or the one before is too old.
func Take(ctx context.Context, dir string, from Source, o TakeOptions) (*Manifest, error) {
	if err := os.MkdirAll(filepath.Join(dir, bundlesDir), 0o700); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	list, err := Read(dir)
	if err != nil {
		return nil, err
	}
	t, err := begin(dir, list, o)
	if err != nil {
		return nil, err
	}
	have, err := t.bundleNames()
	if err != nil {
		return nil, err
	}
	err = from.Give(ctx, Ask{Since: t.since, Floors: t.state.Floors, Bundles: have, Audit: true}, t)
	if err == nil && t.end == nil {
		err = errors.New("backup: the stream broke off before its end")
	}
	if err != nil {
		err = errors.Join(err, t.keep())
		if errors.Is(err, record.ErrConflict) || errors.Is(err, record.ErrExpired) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return nil, err
	}
	return t.finish()
}

// state is what is noted of an unfinished backup.
type state struct {
	Number   int           `json:"number"`
	Full     bool          `json:"full"`
	Previous string        `json:"previous,omitempty"`
	Epoch    uint64        `json:"epoch,string"` // 0: nothing has come
	Floors   []store.Floor `json:"floors,omitempty"`
	Files    []File        `json:"files,omitempty"`
	Rows     int64         `json:"rows"`
}

const stateFile = "progress.json"

// taker receives one backup.
type taker struct {
	dir      string // of all backups
	work     string
	progress func(rows, bytes int64)
	since    store.Point
	earlier  map[string]Bundle // by name, of the manifests before
	state    state

	at      store.Snapshot
	floors  []store.Floor // what the files before this one are
	rows    *os.File
	hash    hash.Hash
	bytes   int64
	before  int64 // rows of earlier calls
	count   int64 // rows of this call
	next    []byte
	unsaved int64

	bundles []string
	part    *os.File // of the bundle that is coming
	audit   []string // names of files
	end     *int64
}

func begin(dir string, list []*Manifest, o TakeOptions) (*taker, error) {
	t := &taker{dir: dir, work: filepath.Join(dir, unfinished), progress: o.Progress, earlier: map[string]Bundle{}}
	if t.progress == nil {
		t.progress = func(int64, int64) {}
	}
	want := state{Number: 1, Full: true}
	if n := len(list); n > 0 {
		last := list[n-1]
		want = state{Number: last.Number + 1, Full: o.Full, Previous: last.Checksum}
		if !o.Full {
			t.since = last.Point()
		}
	}
	for _, m := range list {
		for _, b := range m.Bundles {
			t.earlier[b.Name] = b
		}
	}
	raw, err := os.ReadFile(filepath.Join(t.work, stateFile))
	if err == nil {
		err = json.Unmarshal(raw, &t.state)
	}
	s := t.state
	if err != nil || s.Number != want.Number || s.Full != want.Full || s.Previous != want.Previous || t.cut() != nil {
		t.state = want
		if err := os.RemoveAll(t.work); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
	}
	if err := os.MkdirAll(t.work, 0o700); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	t.floors, t.before = slices.Clone(t.state.Floors), t.state.Rows
	return t, nil
}

// cut takes from the files of an unfinished backup what was written after the last note.
func (t *taker) cut() error {
	for _, f := range t.state.Files {
		path := filepath.Join(t.work, f.Name)
		if filepath.Base(f.Name) != f.Name {
			return ErrDamaged
		}
		if err := os.Truncate(path, f.Size); err != nil {
			return err
		}
		if err := verifyFile(path, f, nil); err != nil {
			return err
		}
	}
	return nil
}

// bundleName is a bundle's, its file has "-" in place of "/".
var bundleName = regexp.MustCompile(`^[0-9]{1,10}/[0-9a-f]{64}$`)

func bundleFile(name string) string { return strings.Replace(name, "/", "-", 1) + ".tar" }

// bundleNames lists the bundles that have come whole.
func (t *taker) bundleNames() (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(t.dir, bundlesDir))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		stem, whole := strings.CutSuffix(e.Name(), ".tar")
		if name := strings.Replace(stem, "-", "/", 1); whole && bundleName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Snapshot implements Sink.
func (t *taker) Snapshot(at store.Snapshot) (err error) {
	if t.state.Epoch != 0 && t.state.Epoch != at.Epoch {
		return fmt.Errorf("backup: the store was restored since the unfinished backup began; remove %s: %w", t.work, ErrFull)
	}
	t.at, t.state.Epoch, t.hash = at, at.Epoch, sha256.New()
	t.state.Files = append(t.state.Files, File{Name: fmt.Sprintf("rows-%04d.kv", len(t.state.Files)+1)})
	t.rows, err = os.OpenFile(filepath.Join(t.work, t.file().Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	return err
}

func (t *taker) file() *File { return &t.state.Files[len(t.state.Files)-1] }

// Rows implements Sink.
func (t *taker) Rows(f store.Frame) error {
	if t.rows == nil {
		return errors.New("backup: rows before the snapshot")
	}
	if _, err := t.rows.Write(f.Bytes); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := t.hash.Write(f.Bytes); err != nil {
		return err
	}
	t.bytes += int64(len(f.Bytes))
	t.count += int64(f.Rows)
	if t.next = bytes.Clone(f.Next); len(f.Next) == 0 {
		t.next = beyond
	}
	t.progress(int64(f.Rows), int64(len(f.Bytes)))
	if t.unsaved += int64(len(f.Bytes)); t.unsaved < saveEvery {
		return nil
	}
	return t.save()
}

// beyond is above all keys: the tenant of the largest number is not reached.
var beyond = bytes.Repeat([]byte{0xff}, 16)

// save notes how far the backup is.
func (t *taker) save() error {
	if t.rows == nil || t.next == nil {
		return nil
	}
	if err := t.rows.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	sum, err := sumNow(t.hash)
	if err != nil {
		return err
	}
	f := t.file()
	f.Size, f.SHA256 = t.bytes, sum
	floors := []store.Floor{{Until: t.next, Version: t.at.Version}}
	for _, old := range t.floors {
		if bytes.Compare(old.Until, t.next) > 0 {
			floors = append(floors, old)
		}
	}
	t.state.Floors, t.state.Rows, t.unsaved = floors, t.before+t.count, 0
	return writeJSON(filepath.Join(t.work, stateFile), &t.state)
}

// sumNow is the checksum of what was written so far.
func sumNow(h hash.Hash) (string, error) {
	raw, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return "", err
	}
	now := sha256.New()
	if err := now.(encoding.BinaryUnmarshaler).UnmarshalBinary(raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(now.Sum(nil)), nil
}

// keep notes what has come of a backup that broke off, and closes its files.
func (t *taker) keep() error {
	var errs []error
	if t.part != nil {
		errs = append(errs, t.part.Close(), os.Remove(t.part.Name()))
	}
	if t.rows != nil {
		errs = append(errs, t.save(), t.rows.Close())
	}
	return errors.Join(errs...)
}

// Bundle implements Sink.
func (t *taker) Bundle(name string, part []byte) error {
	if !bundleName.MatchString(name) {
		return fmt.Errorf("backup: %.100q is no bundle's name", name)
	}
	if n := len(t.bundles); n == 0 || t.bundles[n-1] != name {
		if err := t.endBundle(); err != nil {
			return err
		}
		t.bundles = append(t.bundles, name)
	}
	if len(part) == 0 {
		return nil
	}
	if t.part == nil {
		var err error
		t.part, err = os.OpenFile(filepath.Join(t.dir, bundlesDir, bundleFile(name)+".part"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if _, err := t.part.Write(part); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	t.progress(0, int64(len(part)))
	return nil
}

// endBundle puts the bundle that has come in its place.
func (t *taker) endBundle() error {
	if t.part == nil {
		return nil
	}
	path := t.part.Name()
	err := errors.Join(t.part.Sync(), t.part.Close())
	t.part = nil
	if err == nil {
		err = os.Rename(path, strings.TrimSuffix(path, ".part"))
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// auditName is that of a file of the audit log: a tenant, and which half of the log.
var auditName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}(\.old)?\.jsonl$`)

// Audit implements Sink.
func (t *taker) Audit(name string, part []byte) error {
	if !auditName.MatchString(name) {
		return fmt.Errorf("backup: %.100q is no file of the audit log", name)
	}
	mode := os.O_APPEND
	if n := len(t.audit); n == 0 || t.audit[n-1] != name {
		mode, t.audit = os.O_TRUNC, append(t.audit, name)
	}
	dir := filepath.Join(t.work, auditDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|mode, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = f.Write(part)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	t.progress(0, int64(len(part)))
	return nil
}

// auditFiles describes the files of the audit log that have come.
func (t *taker) auditFiles() (files []File, err error) {
	dir := filepath.Join(t.work, auditDir)
	for _, name := range t.audit {
		f, err := sumFile(filepath.Join(dir, name), nil)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, os.RemoveAll(dir) // what an earlier call brought
	}
	return files, disk.SyncDir(dir)
}

// End implements Sink.
func (t *taker) End(rows, bundles int64) error {
	if rows != t.count || bundles != int64(len(t.bundles)) {
		return fmt.Errorf("backup: %d rows and %d bundles came, the source gave %d and %d", t.count, len(t.bundles), rows, bundles)
	}
	t.end = &rows
	return t.endBundle()
}

// finish writes the manifest and puts the backup in its place.
func (t *taker) finish() (*Manifest, error) {
	if err := errors.Join(t.save(), t.rows.Close()); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	s := &t.state
	m := &Manifest{
		Format: Format, Number: s.Number, Full: s.Full, Previous: s.Previous, Time: t.at.Time, Epoch: t.at.Epoch, Version: t.at.Version,
		Schema: t.at.Schema, Tenants: t.at.Tenants, Rows: s.Rows, Files: s.Files, Bundles: []Bundle{},
	}
	for _, name := range t.bundles {
		b, known := t.earlier[name]
		if !known {
			f, err := sumFile(filepath.Join(t.dir, bundlesDir, bundleFile(name)), nil)
			if err != nil {
				return nil, fmt.Errorf("backup: %w", err)
			}
			b = Bundle{name, f}
		}
		m.Bundles = append(m.Bundles, b)
	}
	var err error
	if m.Audit, err = t.auditFiles(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := m.write(t.work); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := os.Remove(filepath.Join(t.work, stateFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(t.work, folder(t.dir, m.Number)); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, d := range []string{folder(t.dir, m.Number), filepath.Join(t.dir, bundlesDir), t.dir} {
		if err := disk.SyncDir(d); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
	}
	return m, nil
}

// writeJSON puts a file in its place whole.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := renameio.TempFile(filepath.Dir(path), path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }() // after it took its place: nothing
	if _, err := f.Write(append(raw, '\n')); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
