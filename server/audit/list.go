package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
)

// List returns the last acts of a tenant with an id below before, or with before 0 the last
// of all, the newest first, limit at most. next is the before to go on with; 0: no more.
func (l *Log) List(tenant string, before int64, limit int) (entries []Entry, next int64, err error) {
	t := l.of(tenant)
	t.mu.Lock()
	defer t.mu.Unlock()
	err = l.read(tenant, func(n line) {
		switch {
		case n.End > 0:
			i := sort.Search(len(entries), func(i int) bool { return entries[i].ID >= n.End })
			if i < len(entries) && entries[i].ID == n.End {
				entries[i].Code, entries[i].Duration = n.Code, n.Duration
			}
		case n.ID > 0 && (before == 0 || n.ID < before):
			if len(entries) > limit { // one more than is asked for tells that there are more
				entries = append(entries[:0], entries[1:]...)
			}
			entries = append(entries, n.entry(tenant))
		}
	})
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	if len(entries) > limit {
		entries = entries[1:]
		next = entries[0].ID
	}
	slices.Reverse(entries)
	return entries, next, nil
}

// read gives each line of a tenant, the oldest first; t.mu is held. A line that is not whole
// was cut short by a crash and is passed over: its act was not done yet, or its outcome is
// not known.
func (l *Log) read(name string, each func(line)) error {
	for _, old := range []bool{true, false} {
		f, err := os.Open(l.path(name, old))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = readLines(f, each)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func readLines(r io.Reader, each func(line)) error {
	in := bufio.NewReader(r)
	for {
		raw, err := in.ReadBytes('\n')
		if len(raw) > 0 {
			var n line
			if json.Unmarshal(raw, &n) == nil {
				each(n)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
