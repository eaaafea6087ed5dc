package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// A plan that was accepted and cannot be done is stuck: its rows cannot be read any more,
// or what was before cannot be kept. The shop serves what the log holds, all but
// replacements, which try the plan again before they begin. RollbackCatalog undoes what
// landed of it, if anything did, and forgets it.

// markKind holds the head of the plan that is being done: of one that cannot be read any
// more it says which it was.
const markKind = "catalog-plan-begun"

// replacing is held while the catalog is replaced, and knows of a stuck plan.
type replacing struct {
	sync.Mutex
	stuck atomic.Pointer[stuckPlan] // nil: none is; changed under the mutex, or before anything serves
}

type stuckPlan struct {
	planHead
	why error
}

// StuckReplacement tells of a replacement that was accepted and cannot be done: its id, when
// it was made and why; nil: there is none.
func (s *Shop) StuckReplacement() (id string, made time.Time, why error) {
	p := s.replacing.stuck.Load()
	if p == nil {
		return "", time.Time{}, nil
	}
	return p.ID, p.Time, p.why
}

// stick notes that the plan cannot be done, and returns why.
func (s *Shop) stick(why error) error {
	head, err := s.planOrMark()
	if err != nil && !errors.Is(err, record.ErrNotFound) {
		why = errors.Join(why, err)
	}
	if head == nil {
		head = &planHead{}
	}
	s.replacing.stuck.Store(&stuckPlan{*head, why})
	return why
}

// planOrMark is the head of the plan that is kept, or of the one that was begun.
func (s *Shop) planOrMark() (head *planHead, err error) {
	head, err = s.headOf(planKind)
	if head != nil {
		return head, nil
	}
	marked, fault := s.headOf(markKind)
	if marked != nil {
		return marked, nil
	}
	return nil, errors.Join(err, fault)
}

// headOf is the head of a kind; nil where there is none.
func (s *Shop) headOf(kind string) (head *planHead, err error) {
	err = s.readLines(kind, func(l *planLine) error { head = l.Head; return errEnough })
	if errors.Is(err, record.ErrNotFound) {
		err = nil
	}
	return head, err
}

// unstick tries a stuck plan again. The error is what a replacement is refused with.
func (s *Shop) unstick() error {
	p := s.replacing.stuck.Load()
	if p == nil {
		return nil
	}
	if _, err := s.doPlan(s.life); err != nil && !errors.Is(err, record.ErrNotFound) {
		s.config.Log.Error("the replacement of the catalog is still stuck", "tenant", s.tenant, "import", p.ID, "error", err)
		return fmt.Errorf("the replacement %q of %s was accepted and cannot be done: %w: undo it with RollbackCatalog (kindred catalog rollback) and import again, or mend the cause and retry: %w",
			p.ID, p.Time.Format(time.RFC3339), s.stick(err), ErrPrecondition)
	}
	s.replacing.stuck.Store(nil)
	s.config.Log.Info("a replacement of the catalog that was stuck is done", "tenant", s.tenant, "import", p.ID)
	return nil
}

// undoStuck forgets a stuck plan, after the catalog before it was brought back where rows
// of it may have landed.
func (s *Shop) undoStuck(ctx context.Context, p *stuckPlan, dry bool) (*RolledBack, error) {
	out := &RolledBack{ID: p.ID, Time: p.Time}
	before, err := s.headOf(beforeKind)
	if err != nil {
		return nil, err
	}
	if before != nil && *before == p.planHead {
		done, err := s.replace(ctx, rollbackOf(p.planHead, dry), true, s.feedBefore)
		if err != nil {
			return nil, err
		}
		out.Replaced = *done
	} else if out.Token = s.log.Head(); !dry {
		if err := s.forgetPlan(); err != nil {
			return nil, err
		}
	}
	if !dry {
		s.replacing.stuck.Store(nil)
	}
	return out, nil
}

func rollbackOf(head planHead, dry bool) Replacement {
	return Replacement{ID: "rollback of " + head.ID, Dry: dry, RemovalShare: 1, ConfirmRemoval: -1}
}

// mark notes that a plan is being done.
func (s *Shop) mark(head *planHead) error {
	if was, err := s.headOf(markKind); err == nil && was != nil && *was == *head {
		return nil
	}
	err := s.log.PutCheckpoint(markKind, 0, func(w io.Writer) error { return json.NewEncoder(w).Encode(planLine{Head: head}) })
	if err != nil {
		return fmt.Errorf("noting that replacement %q is being done: %w", head.ID, err)
	}
	return nil
}

// forgetPlan forgets the mark and then the plan: a plan without a mark is done again, which
// changes nothing.
func (s *Shop) forgetPlan() error {
	for _, kind := range []string{markKind, planKind} {
		// Twice: the log keeps the last but one, and with it the rows.
		for range 2 {
			if err := s.log.PutCheckpoint(kind, 0, func(io.Writer) error { return nil }); err != nil {
				return fmt.Errorf("forgetting the plan of a replacement: %w", err)
			}
		}
	}
	return nil
}
