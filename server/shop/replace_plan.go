package shop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/record"
)

// planBatch is how many mutations of a plan are written at once.
const planBatch = 500

// finishReplacement does a plan that a crash left, before anything serves. One that cannot
// be done does not keep the shop from serving: it is stuck.
func (s *Shop) finishReplacement(ctx context.Context) error {
	begin := time.Now()
	done, err := s.doPlan(ctx)
	if errors.Is(err, record.ErrNotFound) {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("finishing a replacement of the catalog: %w", err)
	}
	if err != nil {
		s.config.Log.Error("an accepted replacement of the catalog cannot be done; the catalog is served as the log has it; retry the import, or undo it: kindred catalog rollback",
			"tenant", s.tenant, "error", s.stick(err))
		return nil
	}
	s.config.Log.Info("finished a replacement of the catalog", "removed", done.Counts.Removed, "seconds", int(time.Since(begin).Seconds()))
	return nil
}

// doPlan does the plan that is kept and forgets it. record.ErrNotFound: there is none. It
// returns when the new catalog serves.
func (s *Shop) doPlan(ctx context.Context) (*Replaced, error) {
	head, err := s.headOf(planKind)
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, s.noPlan()
	}
	if err := s.keepBefore(head); err != nil {
		return nil, err
	}
	if err := s.mark(head); err != nil {
		return nil, err
	}
	w := &planWriter{shop: s, ctx: ctx}
	err = s.readLines(planKind, w.line)
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return nil, fmt.Errorf("the replacement %q was accepted and is not done: it goes on at the next replacement, or the next start of the service: %w", head.ID, err)
	}
	if err := s.forgetPlan(); err != nil {
		return nil, err
	}
	return &w.done, s.Reach(ctx, s.Head())
}

// noPlan is record.ErrNotFound, or, where a plan was begun, record.ErrCorrupt: the log has
// lost it.
func (s *Shop) noPlan() error {
	begun, err := s.headOf(markKind)
	if err != nil {
		return err
	}
	if begun != nil {
		return fmt.Errorf("the plan of replacement %q cannot be read any more: %w", begun.ID, record.ErrCorrupt)
	}
	return fmt.Errorf("a plan: %w", record.ErrNotFound)
}

// keepBefore writes the catalog aside, unless it was for the same plan.
func (s *Shop) keepBefore(plan *planHead) error {
	kept, err := s.catalogBefore()
	if err == nil && *kept == *plan {
		return nil
	}
	if err != nil && !errors.Is(err, record.ErrNotFound) {
		return err
	}
	err = s.log.PutCheckpoint(beforeKind, s.log.Head().Seq, func(w io.Writer) error {
		out := json.NewEncoder(w)
		if err := out.Encode(planLine{Head: plan}); err != nil {
			return err
		}
		return s.log.ScanItems(func(_ uint32, it *record.Item) error { return out.Encode(planLine{Item: it}) })
	})
	if err != nil {
		return fmt.Errorf("keeping the catalog as it was: %w", err)
	}
	return nil
}

// catalogBefore tells of the replacement whose catalog before is kept, or record.ErrNotFound.
func (s *Shop) catalogBefore() (head *planHead, err error) {
	head, err = s.headOf(beforeKind)
	if err == nil && head == nil {
		err = fmt.Errorf("a catalog before: %w", record.ErrNotFound)
	}
	return head, err
}

// readLines calls fn for each line of a kind until it returns errEnough or an error.
// record.ErrNotFound: nothing of the kind is kept.
func (s *Shop) readLines(kind string, fn func(*planLine) error) error {
	err := s.log.Checkpoint(kind, func(_ uint64, r io.Reader) error {
		in := json.NewDecoder(bufio.NewReader(r))
		for {
			var l planLine
			if err := in.Decode(&l); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("%s: %w: %w", kind, err, record.ErrCorrupt)
			}
			if err := fn(&l); err != nil {
				return err
			}
		}
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// planWriter writes a plan into the log.
type planWriter struct {
	shop  *Shop
	ctx   context.Context
	batch []record.Mutation
	done  Replaced
}

func (w *planWriter) line(l *planLine) error {
	switch {
	case l.Item != nil:
		if l.Anew {
			w.batch = append(w.batch, record.Mutation{Delete: &record.Delete{ID: l.Item.ID}})
		}
		w.batch = append(w.batch, record.Mutation{Item: l.Item})
	case l.Remove != "":
		w.batch = append(w.batch, record.Mutation{Delete: &record.Delete{ID: l.Remove}})
	}
	if len(w.batch) < planBatch {
		return nil
	}
	return w.flush()
}

// flush writes the batch, and waits where the log is full.
func (w *planWriter) flush() error {
	if len(w.batch) == 0 {
		return nil
	}
	for {
		outcomes, token, err := w.shop.Write(w.ctx, w.batch)
		if errors.Is(err, record.ErrOverloaded) && w.pause() {
			continue
		}
		if err != nil {
			return err
		}
		for i := range outcomes {
			w.count(&w.batch[i], &outcomes[i])
		}
		w.done.Token, w.batch = token, w.batch[:0]
		return nil
	}
}

// pause waits a moment and reports whether there is use in going on.
func (w *planWriter) pause() bool {
	return pause.For(w.ctx, 10*time.Millisecond) == nil
}

func (w *planWriter) count(m *record.Mutation, o *record.Outcome) {
	c := &w.done.Counts
	switch o.Status {
	case record.Added:
		c.Added++
	case record.Changed:
		c.Changed++
	case record.Unchanged:
		c.Unchanged++
	case record.Stale:
		c.Stale++
	case record.Removed:
		c.Removed++
	default:
		if m.Delete != nil && errors.Is(o.Err, record.ErrNotFound) {
			return // somebody removed it meanwhile, or an earlier try did
		}
		c.Refused++
		w.shop.config.Log.Error("a row of an accepted replacement was refused", "error", o.Err)
	}
}

// RolledBack tells what RollbackCatalog did.
type RolledBack struct {
	Replaced
	ID   string    // of the replacement that was undone
	Time time.Time // when it was made
}

// RollbackCatalog brings back the catalog as it was before the last replacement. It is a
// replacement itself, so that a second call undoes the first. What was written to single
// items since is undone with it; stock and prices are those of then. Where a replacement is
// stuck it undoes that one. ErrPrecondition: there was no replacement.
func (s *Shop) RollbackCatalog(ctx context.Context, dry bool) (*RolledBack, error) {
	if !s.replacing.TryLock() {
		return nil, fmt.Errorf("%w: a replacement of the catalog is under way; retry when it has ended", ErrOverloaded)
	}
	defer s.replacing.Unlock()
	if p := s.replacing.stuck.Load(); p != nil {
		return s.undoStuck(ctx, p, dry)
	}
	head, err := s.catalogBefore()
	if errors.Is(err, record.ErrNotFound) {
		return nil, fmt.Errorf("no catalog from before a replacement is kept, since none was replaced: %w", ErrPrecondition)
	}
	if err != nil {
		return nil, err
	}
	done, err := s.replace(ctx, rollbackOf(*head, dry), true, s.feedBefore)
	if err != nil {
		return nil, err
	}
	return &RolledBack{Replaced: *done, ID: head.ID, Time: head.Time}, nil
}

// feedBefore stages the catalog before.
func (s *Shop) feedBefore(stage func([]record.Mutation) ([]record.Outcome, error)) error {
	var batch []record.Mutation
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := stage(batch)
		batch = batch[:0]
		return err
	}
	err := s.readLines(beforeKind, func(l *planLine) error {
		if l.Item == nil {
			return nil
		}
		if batch = append(batch, record.Mutation{Item: l.Item}); len(batch) < planBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// sameRow reports whether an item is in the catalog as it stands in a plan, but for the
// age of its source.
func (s *Shop) sameRow(it *record.Item) bool {
	now, _, err := s.log.Item(it.ID)
	if err != nil {
		return false
	}
	was := *it
	was.SourceTime, now.SourceTime = time.Time{}, time.Time{}
	a, errA := json.Marshal(&was)
	b, errB := json.Marshal(&now)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
