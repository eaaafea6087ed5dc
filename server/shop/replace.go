package shop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// A replacement takes a whole catalog in and removes what is not in it. It goes in two
// steps, so that a crash leaves the old catalog or leads to the new one:
//
//  1. The rows are checked and written aside as a plan, with the ids to remove at its end.
//     Nothing of them serves. The plan counts from one durable write on, which is made
//     only once all of it is there and accepted.
//  2. The catalog as it is is written aside, for RollbackCatalog, and the plan is done:
//     rows in batches, then removals. A start that finds a plan does it, all of it, before
//     anything serves; to do a part again changes nothing. While rows take their places,
//     for seconds with a large catalog, a list may hold items of both. A plan that cannot
//     be done is stuck, see replace_stuck.go.
//
// Both lie with the log's checkpoints: the kinds below.
const (
	planKind   = "catalog-plan"
	beforeKind = "catalog-before"
)

// Replacement says how a catalog is replaced.
type Replacement struct {
	ID  string // of the import
	Dry bool   // nothing is kept
	// RemovalShare of the catalog may go without more, 0 to 1; negative: the tenant's.
	RemovalShare float64
	// ConfirmRemoval, where not negative, is the number of items that the caller expects to
	// go; any other number is refused, and this one is allowed whatever its share.
	ConfirmRemoval int64
	// ImpactUsers is how many users the impact is looked at on, for a dry run, 0 to
	// MaxImpactUsers; 0: it is not. Seed draws them.
	ImpactUsers int
	Seed        uint64
}

// Replaced tells what a replacement did, or would do.
type Replaced struct {
	Counts  ReplacedCounts
	Samples ChangeSamples
	// Refusal is why a dry run's catalog would be refused; empty: it would be taken.
	Refusal string
	Impact  *Impact // nil: it was not asked for
	Token   record.Token
}

// ReplacedCounts are rows by what becomes of them; a later row of an id is changed or
// unchanged.
type ReplacedCounts struct{ Added, Changed, Unchanged, Stale, Removed, Refused int64 }

// ChangeSamples are the first ids of each kind, at most SampledIDs.
type ChangeSamples struct{ Added, Changed, Removed []string }

// SampledIDs bounds each of ChangeSamples.
const SampledIDs = 20

func sampled(list *[]string, id string) {
	if len(*list) < SampledIDs {
		*list = append(*list, strings.Clone(id))
	}
}

// feeder hands rows to stage.
type feeder = func(stage func([]record.Mutation) ([]record.Outcome, error)) error

// planLine is one line of a plan, or of the catalog before: JSON, exactly one field set.
type planLine struct {
	Head   *planHead    `json:"head,omitempty"`
	Item   *record.Item `json:"item,omitempty"`
	Anew   bool         `json:"anew,omitempty"` // the item takes its place whatever the age of the row there
	Remove string       `json:"remove,omitempty"`
}

type planHead struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
}

// Replace takes the rows that feed stages as the whole catalog. feed calls stage with
// batches in the order of the stream, at most once at a time, and gets an outcome for
// each row; its error ends the replacement and is returned as it is. With an error
// nothing has changed. Once accepted a replacement goes on without the caller. Errors:
// ErrPrecondition with the numbers where too many items would go or not those confirmed,
// or where rows were refused, or where an earlier replacement is stuck; ErrOverloaded where another replacement is under way;
// record.ErrLimit.
func (s *Shop) Replace(ctx context.Context, o Replacement, feed func(stage func([]record.Mutation) ([]record.Outcome, error)) error) (*Replaced, error) {
	if !s.replacing.TryLock() {
		return nil, fmt.Errorf("%w: another replacement of the catalog is under way; retry when it has ended", ErrOverloaded)
	}
	defer s.replacing.Unlock()
	if err := s.unstick(); err != nil {
		return nil, err
	}
	return s.replace(ctx, o, false, feed)
}

// replace is Replace, called with replacing held. Of a rollback rows count although those
// in their places are of newer sources.
func (s *Shop) replace(ctx context.Context, o Replacement, rollback bool, feed feeder) (*Replaced, error) {
	st := &staging{shop: s, o: o, rollback: rollback, settings: s.settings(), seen: map[string]struct{}{}, withheld: map[uint32]struct{}{}}
	if o.Dry {
		return st.dry(ctx, feed)
	}
	var fault error
	err := s.log.PutCheckpoint(planKind, s.log.Head().Seq, func(w io.Writer) error {
		st.out = json.NewEncoder(w)
		fault = st.fill(ctx, feed)
		return fault
	})
	if fault != nil {
		return nil, fault
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the plan of the replacement: %w", err)
	}
	done, err := s.doPlan(s.life)
	if err != nil {
		return nil, s.stick(err)
	}
	done.Samples = st.done.Samples
	return done, nil
}

// staging is a plan being made.
type staging struct {
	shop     *Shop
	o        Replacement
	out      *json.Encoder // nil: a dry run
	settings *tenantView   // as the rows so far would settle them
	seen     map[string]struct{}
	withheld map[uint32]struct{} // items that the plan keeps from being shown
	rollback bool
	done     Replaced
}

// fill writes a whole plan, or reports why it is not accepted.
func (st *staging) fill(ctx context.Context, feed feeder) error {
	if err := st.out.Encode(planLine{Head: &planHead{ID: st.o.ID, Time: st.shop.config.Now().UTC()}}); err != nil {
		return err
	}
	if err := feed(func(batch []record.Mutation) ([]record.Outcome, error) { return st.stage(ctx, batch) }); err != nil {
		return err
	}
	gone, err := st.gone(ctx)
	if err != nil {
		return err
	}
	if why := st.refusal(gone); why != "" {
		return fmt.Errorf("%s; nothing was changed: %w", why, ErrPrecondition)
	}
	for _, id := range gone {
		if err := st.out.Encode(planLine{Remove: id}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// dry tells what fill would accept and doPlan do.
func (st *staging) dry(ctx context.Context, feed feeder) (*Replaced, error) {
	if err := feed(func(batch []record.Mutation) ([]record.Outcome, error) { return st.stage(ctx, batch) }); err != nil {
		return nil, err
	}
	gone, err := st.gone(ctx)
	if err != nil {
		return nil, err
	}
	st.done.Refusal = st.refusal(gone)
	if st.o.ImpactUsers > 0 {
		for _, id := range gone {
			if n, ok := st.shop.log.ItemNumber(id); ok {
				st.withheld[n] = struct{}{}
			}
		}
		if st.done.Impact, err = st.shop.impact(ctx, st.withheld, st.o.ImpactUsers, st.o.Seed); err != nil {
			return nil, err
		}
	}
	return &st.done, nil
}

// stage checks rows and writes them into the plan.
func (st *staging) stage(ctx context.Context, batch []record.Mutation) ([]record.Outcome, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	outcomes, settings, err := st.shop.dryRun(ctx, st.settings, batch)
	if err != nil {
		return nil, err
	}
	st.settings = settings
	for i := range outcomes {
		it := batch[i].Item
		anew := st.settle(&outcomes[i], it)
		if err := st.count(&outcomes[i], it); err != nil {
			return nil, err
		}
		// What is as it should be needs no line; what somebody changes meanwhile stays.
		if st.out == nil || outcomes[i].Status == record.Refused || outcomes[i].Status == record.Unchanged && st.rollback {
			continue
		}
		if err := st.out.Encode(planLine{Item: it, Anew: anew}); err != nil {
			return nil, fmt.Errorf("item %.40q: %w", it.ID, err)
		}
	}
	return outcomes, nil
}

// settle says what a row of a rollback comes to: the store tells a time that it filled in
// from one that was given, and takes no row of an older source.
func (st *staging) settle(o *record.Outcome, it *record.Item) (anew bool) {
	if !st.rollback {
		return false
	}
	switch {
	case o.Status != record.Changed && o.Status != record.Stale:
	case st.shop.sameRow(it):
		o.Status = record.Unchanged
	case o.Status == record.Stale:
		o.Status, anew = record.Changed, true
	}
	return anew
}

// count books a row. One that has been in the stream before is no longer new.
func (st *staging) count(o *record.Outcome, it *record.Item) error {
	c, list := &st.done.Counts, &st.done.Samples
	_, again := st.seen[it.ID]
	if o.Status == record.Added && again {
		o.Status = record.Changed
	}
	switch o.Status {
	case record.Added:
		c.Added++
		sampled(&list.Added, it.ID)
	case record.Changed:
		c.Changed++
		sampled(&list.Changed, it.ID)
	case record.Unchanged:
		c.Unchanged++
	case record.Stale:
		c.Stale++
	default:
		c.Refused++
		return nil
	}
	if !again {
		if len(st.seen) >= int(st.shop.config.MaxItems) {
			return fmt.Errorf("the catalog would have more than %d items, the bound; nothing was changed: %w", st.shop.config.MaxItems, record.ErrLimit)
		}
		st.seen[strings.Clone(it.ID)] = struct{}{}
	}
	st.withhold(it, o.Status)
	return nil
}

// withhold notes whether a row that counts keeps its item from being shown.
func (st *staging) withhold(it *record.Item, status record.Status) {
	n, known := st.shop.log.ItemNumber(it.ID)
	if !known || status == record.Stale {
		return
	}
	now := st.shop.now()
	out := it.Hidden || it.Stock != nil && *it.Stock == 0 ||
		!it.AvailableFrom.IsZero() && now.Before(it.AvailableFrom) || !it.AvailableUntil.IsZero() && !now.Before(it.AvailableUntil)
	if out {
		st.withheld[n] = struct{}{}
	} else {
		delete(st.withheld, n)
	}
}

// gone returns the ids of the catalog that the plan does not have. What is removed, and
// how much of the catalog that is, can be told once all that was written serves.
func (st *staging) gone(ctx context.Context) ([]string, error) {
	if err := st.shop.Reach(ctx, st.shop.Head()); err != nil {
		return nil, err
	}
	gone := st.shop.Unseen(st.seen)
	st.done.Counts.Removed = int64(len(gone))
	for _, id := range gone {
		sampled(&st.done.Samples.Removed, id)
	}
	return gone, nil
}

// refusal says why a plan is not accepted; empty: it is.
func (st *staging) refusal(gone []string) string {
	o, removed, before := &st.o, int64(len(gone)), st.shop.CatalogItems()
	allowed := o.RemovalShare
	if allowed < 0 {
		allowed = cmp.Or(st.shop.settings().RemovalShare, record.DefaultRemovalShare)
	}
	share := float64(removed) / float64(max(1, before))
	switch {
	case st.done.Counts.Refused > 0:
		return fmt.Sprintf("%d rows had errors: mend them and import again", st.done.Counts.Refused)
	case o.ConfirmRemoval >= 0 && removed != o.ConfirmRemoval:
		return fmt.Sprintf("%d of %d items would be removed, confirm_removal says %d: check the file, or confirm %d", removed, before, o.ConfirmRemoval, removed)
	case o.ConfirmRemoval < 0 && share > allowed:
		return fmt.Sprintf("%d of %d items (%.0f%%) would be removed, confirm_drop_share allows %.0f%%: check the file, or set confirm_removal to %d",
			removed, before, 100*share, 100*allowed, removed)
	}
	return ""
}
