package simulate

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// Recorder writes what happens under each policy of a comparison to files: DIR/POLICY-SEED/items.jsonl and events.jsonl, for
// package dataset. Record is what Options.Record takes; it is safe for concurrent use by different policies.
type Recorder struct {
	config Config
	dir    string
	mu     sync.Mutex
	files  map[string]*file // nil: closed
}

// NewRecorder writes below dir, for comparisons of config.
func NewRecorder(config Config, dir string) *Recorder {
	return &Recorder{config: config, dir: dir, files: map[string]*file{}}
}

// Record appends acts to the log of a policy.
func (r *Recorder) Record(policy PolicyName, seed uint64, acts []Act) error {
	f, err := r.file(policy, seed)
	if err != nil {
		return err
	}
	var b []byte
	for i := range acts {
		b = appendAct(b, &acts[i])
	}
	_, err = f.Write(b)
	return err
}

// file opens a log, and writes the catalog beside it, when it is first asked for.
func (r *Recorder) file(policy PolicyName, seed uint64) (*file, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return nil, errors.New("simulate: the recorder is closed")
	}
	name := fmt.Sprintf("%s-%d", policy, seed)
	if f := r.files[name]; f != nil {
		return f, nil
	}
	c := r.config
	c.Seed = seed
	w, err := NewWorld(c)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, name)
	items, err := create(dir, "items.jsonl", false)
	if err != nil {
		return nil, err
	}
	for n := range w.OnShelf(w.Days - 1) {
		if _, err := items.Write(appendItem(nil, w, w.Item(n))); err != nil {
			return nil, errors.Join(err, items.close())
		}
	}
	if err := items.close(); err != nil {
		return nil, err
	}
	f, err := create(dir, "events.jsonl", false)
	if err == nil {
		r.files[name] = f
	}
	return f, err
}

// Close ends all files.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.close())
	}
	r.files = nil
	return errors.Join(errs...)
}
