package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/internal/disk"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

// RestoreOptions says what is restored, and where to.
type RestoreOptions struct {
	From string // directory of backups
	Data string // of the new store; must be empty or not exist
	// Models is the folder of models under Data, such as "models".
	Models string
	// Audit is the folder of the audit log under Data. "": it is not restored.
	Audit string
	// Until is the moment. Zero: that of the last backup.
	Until time.Time
	// Token is a place in the log of the tenant numbered Tenant, in place of Until: the
	// moment at which that place was written. Zero: none.
	Token  record.Token
	Tenant uint32
	// Erased are further erases to apply.
	Erased []store.Erased
	Store  store.Options
	// Progress, if not nil, is told of bytes as files are read; each of them is read twice.
	Progress func(bytes int64)
}

// Report says what was restored.
type Report struct {
	// Backup is the number of the last backup that is in it whole.
	Backup int
	// Moment is what the store is as of.
	Moment time.Time
	// Replayed is what came of the log of the backup after it; zero for a moment of a backup.
	Replayed store.Replayed
	Erased   int // persons erased after the moment, and now again
	Bundles  int
	Tenants  []store.TenantHead
	Epoch    uint64 // the new one
}

// Restore makes a store. Every checksum is compared before anything is written; a failed
// restore leaves nothing. ErrDamaged names what is wrong with the backup.
func Restore(ctx context.Context, o RestoreOptions) (report Report, err error) {
	if err := o.Store.Validate(); err != nil {
		return report, err
	}
	if err := free(o.Data); err != nil {
		return report, err
	}
	list, err := Read(o.From)
	if err != nil {
		return report, err
	}
	if len(list) == 0 {
		return report, fmt.Errorf("backup: there is no backup in %s", o.From)
	}
	if newest := list[len(list)-1]; newest.Schema > store.Schema {
		return report, fmt.Errorf("backup: %s has rows of form %d, this release reads up to %d: %w", o.From, newest.Schema, store.Schema, record.ErrNewer)
	}
	if err := Verify(o.From, list, o.Progress); err != nil {
		return report, err
	}
	work := filepath.Clean(o.Data) + ".restoring"
	if err := os.RemoveAll(work); err != nil {
		return report, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	r := restorer{RestoreOptions: o, list: list, work: work}
	if err := r.run(ctx, &report); err != nil {
		return report, err
	}
	if err := os.Remove(o.Data); err != nil && !errors.Is(err, os.ErrNotExist) {
		return report, fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(filepath.Join(work, "data"), o.Data); err != nil {
		return report, fmt.Errorf("backup: %w", err)
	}
	return report, disk.SyncDir(filepath.Dir(filepath.Clean(o.Data)))
}

// free refuses a directory with something in it.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("backup: %s is not empty (it has %s): give a new directory", dir, entries[0].Name())
	}
	return nil
}

type restorer struct {
	RestoreOptions
	list []*Manifest
	work string
}

func (r *restorer) run(ctx context.Context, report *Report) error {
	at, err := r.target()
	if err != nil {
		return err
	}
	target := r.list[at]
	data := filepath.Join(r.work, "data")
	between := at+1 < len(r.list) && !r.list[at+1].Full && r.between(target)
	if err := r.load(data, at, !between); err != nil {
		return err
	}
	if report.Erased, err = r.erase(ctx, data, at); err != nil {
		return err
	}
	report.Backup, report.Moment = target.Number, target.Time
	if between {
		if report.Moment, report.Replayed, err = r.replay(ctx, data, at+1); err != nil {
			return err
		}
		target = r.list[at+1]
	}
	if report.Bundles, err = r.models(data, target); err != nil {
		return err
	}
	if err := r.audit(data, target); err != nil {
		return err
	}
	return r.describe(data, report)
}

// between reports whether the moment is after that of a backup.
func (r *restorer) between(m *Manifest) bool {
	if r.Token != (record.Token{}) {
		return head(m, r.Tenant) < r.Token.Seq
	}
	return !r.Until.IsZero() && m.Time.Before(r.Until)
}

func head(m *Manifest, tenant uint32) uint64 {
	for _, t := range m.Tenants {
		if t.Number == tenant {
			return t.Head
		}
	}
	return 0
}

// target finds the last backup that is not after the moment.
func (r *restorer) target() (int, error) {
	last := len(r.list) - 1
	if r.Until.IsZero() && r.Token == (record.Token{}) {
		return last, nil
	}
	if r.Token != (record.Token{}) {
		return r.tokenTarget()
	}
	if r.Until.After(r.list[last].Time) {
		return 0, fmt.Errorf("backup: the last backup is of %s, before %s: give an earlier time, or none for the last backup",
			stamp(r.list[last].Time), stamp(r.Until))
	}
	for i := last; i >= 0; i-- {
		if !r.list[i].Time.After(r.Until) && r.whole(i) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("backup: the first backup is of %s, after %s: give a later time", stamp(r.list[0].Time), stamp(r.Until))
}

func (r *restorer) tokenTarget() (int, error) {
	found := -1
	for i, m := range r.list {
		if m.Epoch != r.Token.Epoch {
			continue
		}
		if h := head(m, r.Tenant); h <= r.Token.Seq && r.whole(i) {
			found = i
		}
	}
	if found < 0 {
		return 0, errors.New("backup: the token is of another store, of one before a restore, or from before the first backup")
	}
	if head(r.list[found], r.Tenant) < r.Token.Seq && (found+1 == len(r.list) || r.list[found+1].Full) {
		return 0, fmt.Errorf("backup: the token is of place %d of the log, the last backup that adds to its chain is of place %d: give an earlier one, or none",
			r.Token.Seq, head(r.list[found], r.Tenant))
	}
	return found, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// whole reports whether the chain of a backup is there up to its full one.
func (r *restorer) whole(at int) bool { return r.first(at) >= 0 }

// first is the place of the full backup that a chain begins with; -1: it was removed.
func (r *restorer) first(at int) int {
	for ; at >= 0; at-- {
		if r.list[at].Full {
			return at
		}
	}
	return -1
}

// load makes a store of the chain up to a backup.
func (r *restorer) load(data string, at int, derived bool) error {
	first := r.first(at)
	if first < 0 {
		return fmt.Errorf("backup: the full backup that %d adds to is not in %s any more: %w", r.list[at].Number, r.From, ErrDamaged)
	}
	return r.withFrames(r.list[first:at+1], func(frames []io.Reader) error {
		return store.Load(data, r.Store, derived, frames...)
	})
}

// withFrames opens the rows of backups.
func (r *restorer) withFrames(list []*Manifest, fn func([]io.Reader) error) error {
	var frames []io.Reader
	for _, m := range list {
		for _, f := range m.Files {
			l := &lazy{path: filepath.Join(folder(r.From, m.Number), f.Name), progress: r.Progress}
			defer l.close()
			frames = append(frames, l)
		}
	}
	return fn(frames)
}

// lazy opens a file when it is read, and closes it at its end: a chain may have more
// files than a process may open.
type lazy struct {
	path     string
	progress func(int64)
	file     *os.File
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.file == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return 0, fmt.Errorf("backup: %w", err)
		}
		l.file = f
	}
	n, err := l.file.Read(p)
	if l.progress != nil {
		l.progress(int64(n))
	}
	if err != nil {
		l.close()
	}
	return n, err
}

func (l *lazy) close() {
	if l.file != nil {
		_ = l.file.Close() // it was read alone
	}
}

// erase applies the erases that any backup knows of.
func (r *restorer) erase(ctx context.Context, data string, at int) (erased int, err error) {
	list := r.Erased
	later := r.list[at+1:]
	err = r.withFrames(later, func(frames []io.Reader) error {
		for _, f := range frames {
			if err := store.ErasedIn(f, func(e store.Erased) { list = append(list, e) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	r.Erased = list
	s, err := store.Open(data, r.Store)
	if err != nil {
		return 0, err
	}
	erased, err = s.EraseAgain(ctx, list)
	if err == nil && erased > 0 {
		err = s.Compact()
	}
	return erased, errors.Join(err, s.Close())
}

// replay brings the store forward by the log of the backup after it.
func (r *restorer) replay(ctx context.Context, data string, next int) (until time.Time, n store.Replayed, err error) {
	ahead := filepath.Join(r.work, "ahead")
	if err := r.load(ahead, next, false); err != nil {
		return until, n, err
	}
	from, err := store.Open(ahead, r.Store)
	if err != nil {
		return until, n, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if until = r.Until; r.Token != (record.Token{}) {
		if until, err = from.TimeOf(r.Tenant, r.Token.Seq); err != nil {
			return until, n, err
		}
	}
	if _, err := from.EraseAgain(ctx, r.Erased); err != nil {
		return until, n, err
	}
	n, err = store.Replay(ctx, data, r.Store, from, until)
	return until, n, err
}

// models unpacks the bundles of a backup.
func (r *restorer) models(data string, m *Manifest) (n int, err error) {
	for _, b := range m.Bundles {
		tenant, _, _ := strings.Cut(b.Name, "/")
		f, err := os.Open(filepath.Join(r.From, bundlesDir, b.File.Name))
		if err != nil {
			return n, fmt.Errorf("backup: %w", err)
		}
		_, err = bundle.Receive(filepath.Join(data, r.Models, tenant), f, bundle.Limits{})
		if err := errors.Join(err, f.Close()); err != nil {
			return n, fmt.Errorf("backup: bundle %s: %w", b.Name, err)
		}
		n++
	}
	return n, nil
}

// audit copies the files of the audit log.
func (r *restorer) audit(data string, m *Manifest) error {
	if r.Audit == "" || len(m.Audit) == 0 {
		return nil
	}
	dir := filepath.Join(data, r.Audit)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, f := range m.Audit {
		raw, err := os.ReadFile(filepath.Join(folder(r.From, m.Number), auditDir, f.Name))
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := renameio.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), raw, 0o600); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return disk.SyncDir(dir)
}

// describe opens the store once more and says how far it is.
func (r *restorer) describe(data string, report *Report) (err error) {
	s, err := store.Open(data, r.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := s.Now()
	report.Tenants, report.Epoch = at.Tenants, at.Epoch
	return err
}
