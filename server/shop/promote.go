package shop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/record"
)

// PromoteQuery asks for a bundle to serve.
type PromoteQuery struct {
	Hash       string // its first digits
	Thresholds Thresholds
	Evaluation EvaluationQuery
	// Force promotes although thresholds do not hold, or another promotion is being built.
	Force bool
	By    string // id of the caller's API key
	Note  string
	Wait  time.Duration // until it serves; 0: it is built after the answer
}

// PromoteReply answers a promotion or a rollback.
type PromoteReply struct {
	Promotion  record.Promoted
	Comparison *Comparison // nil: nothing was compared
	Serving    bool        // it serves; false: it is being built
	Generation string      // that serves now
}

// ThresholdError refuses a promotion: which checks failed.
type ThresholdError struct {
	Hash   bundle.Hash
	Checks []record.Check
}

// Error names each check that failed, with what was measured and the bound.
func (e *ThresholdError) Error() string {
	var faults []string
	for _, c := range e.Checks {
		if !c.Failed {
			continue
		}
		want := "at least"
		if c.AtMost {
			want = "at most"
		}
		if c.Unmeasured {
			faults = append(faults, fmt.Sprintf("%s could not be measured, %s %g is wanted", c.Name, want, c.Bound))
			continue
		}
		faults = append(faults, fmt.Sprintf("%s is %.4g, %s %g is wanted", c.Name, c.Measured, want, c.Bound))
	}
	return fmt.Sprintf("model %s is not promoted: %s; what serves stays: train on, set other thresholds, or force it", e.Hash.Short(), strings.Join(faults, "; "))
}

// Unwrap makes it a precondition that does not hold.
func (e *ThresholdError) Unwrap() error { return ErrPrecondition }

// Promote compares a bundle with what serves, checks the thresholds, writes the promotion
// to the log and has it built. One that is promoted already is answered with its
// promotion, without a comparison. Errors: *InputError, *ThresholdError, ErrUnfit,
// ErrPrecondition, record.ErrNotFound.
func (s *Shop) Promote(ctx context.Context, q *PromoteQuery) (*PromoteReply, error) {
	hash, err := s.findModel(q.Hash)
	if err != nil {
		return nil, err
	}
	if !s.models.promoting.TryLock() {
		return nil, fmt.Errorf("%w: another promotion is being decided: wait for its answer", ErrPrecondition)
	}
	defer s.models.promoting.Unlock()
	before := s.models.target.Load()
	reply := &PromoteReply{}
	if before.hash == hash && before.fault == "" {
		return reply, s.answer(ctx, reply, hash, q.Wait) // it serves, or is being built
	}
	if err := s.mayPromote(before, q.Force); err != nil {
		return nil, err
	}
	var checks []record.Check
	q.Evaluation.Hash = string(hash)
	switch reply.Comparison, err = s.Evaluate(ctx, &q.Evaluation); {
	case err == nil:
		history, err := s.log.Promotions(maxHistory)
		if err != nil {
			return nil, err
		}
		checks = q.Thresholds.check(reply.Comparison, keptOf(history, string(before.hash)))
	case !q.Force || ctx.Err() != nil:
		return nil, err
	default:
		if _, err := s.openModel(hash); err != nil {
			return nil, err // what cannot serve cannot be forced
		}
	}
	failed := false
	for _, c := range checks {
		failed = failed || c.Failed
	}
	if failed && !q.Force {
		return nil, &ThresholdError{hash, checks}
	}
	return reply, s.promote(ctx, reply, record.Promotion{
		Bundle: string(hash), Previous: string(before.hash), By: q.By, Note: q.Note, Forced: failed, Checks: checks,
	}, q.Wait)
}

// mayPromote refuses to overtake a promotion that is being built, unless forced.
func (s *Shop) mayPromote(now *target, force bool) error {
	g := s.gen.Load()
	switch {
	case force:
		return nil
	case g.bridge:
		return errBridged
	case now.fault != "" || now.hash == g.modelHash():
		return nil
	}
	return fmt.Errorf("%w: the promotion of model %s is being built: wait until it serves, roll it back, or force this one", ErrPrecondition, orNone(now.hash))
}

func orNone(h bundle.Hash) string {
	if h == "" {
		return "none"
	}
	return h.Short()
}

// promote writes a promotion to the log and waits a while for what it asks for.
func (s *Shop) promote(ctx context.Context, reply *PromoteReply, p record.Promotion, wait time.Duration) error {
	outcomes, token, err := s.Write(ctx, []record.Mutation{{Promote: &p}})
	if err != nil {
		return err
	}
	if err := outcomes[0].Err; errors.Is(err, record.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrPrecondition, err)
	} else if err != nil {
		return err
	}
	if outcomes[0].Status == record.Unchanged {
		s.retryTarget() // promoted before, and it may not have been able to serve
	}
	s.config.Log.Info("model promoted", "tenant", s.tenant, "bundle", p.Bundle, "previous", p.Previous, "rollback", p.Rollback, "forced", p.Forced, "by", p.By)
	if err := s.Reach(ctx, token); err != nil {
		return err
	}
	return s.answer(ctx, reply, bundle.Hash(p.Bundle), wait)
}

// answer says what is promoted, and whether it serves after a while.
func (s *Shop) answer(ctx context.Context, reply *PromoteReply, hash bundle.Hash, wait time.Duration) error {
	history, err := s.log.Promotions(1)
	if err != nil {
		return err
	}
	if len(history) > 0 {
		reply.Promotion = history[0]
	}
	reply.Serving = s.awaitModel(ctx, hash, wait)
	reply.Generation = s.gen.Load().id
	return nil
}

// RollbackQuery asks for what served before the promoted bundle.
type RollbackQuery struct {
	By, Note string
	Wait     time.Duration
}

// Rollback has serve what did before the promoted bundle. It ends a promotion that is
// being built. Errors: ErrPrecondition, ErrUnfit, bundle.ErrDamaged.
func (s *Shop) Rollback(ctx context.Context, q *RollbackQuery) (*PromoteReply, error) {
	if s.models == nil {
		return nil, errNoModels
	}
	back, from, err := s.rollbackTarget()
	if err != nil {
		return nil, err
	}
	if from == "" {
		return nil, fmt.Errorf("%w: no model is promoted, there is nothing to go back to", ErrPrecondition)
	}
	if back != "" {
		// What cannot serve must not take the place of what does.
		if _, err := s.openModel(back); err != nil {
			return nil, fmt.Errorf("%w: going back to model %s: %w", ErrPrecondition, back.Short(), err)
		}
	}
	reply := &PromoteReply{}
	return reply, s.promote(ctx, reply, record.Promotion{
		Bundle: string(back), Previous: string(from), By: q.By, Note: q.Note, Rollback: true,
	}, q.Wait)
}

// rollbackTarget returns what a rollback goes to, empty for no model, and the bundle that
// is promoted: a second rollback goes further back, not forth.
func (s *Shop) rollbackTarget() (back, from bundle.Hash, err error) {
	history, err := s.log.Promotions(maxHistory)
	if err != nil || len(history) == 0 {
		return "", "", err
	}
	now := history[0].Bundle
	for _, p := range history {
		if p.Bundle == now && !p.Rollback {
			return bundle.Hash(p.Previous), bundle.Hash(now), nil
		}
	}
	return "", bundle.Hash(now), nil
}

// maxHistory bounds how many promotions are read at once.
const maxHistory = 1000
