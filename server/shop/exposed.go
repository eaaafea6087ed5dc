package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/server/record"
)

// ExposureBy says what exposure is counted by.
type ExposureBy uint8

// What exposure may be counted by.
const (
	ByItem ExposureBy = iota
	BySeller
	ByBrand
	ByCategory // the first path
)

// ExposureQuery asks what was shown, clicked and purchased.
type ExposureQuery struct {
	By          ExposureBy
	Names       []string  // empty: those shown most
	From, Until time.Time // zero: the last 7 days, until now
	Surface     string    // empty: all
	Limit       int       // rows where Names is empty, 0: 100
	Explain     string    // item; empty: nothing is explained
	Requests    int       // to explain it on, 0: 100
	Seed        uint64    // draws them; 0: 1
}

// ExposureReply answers an ExposureQuery.
type ExposureReply struct {
	Rows          []Exposure
	Lists, Places int64
	Omitted       string // what was not read; empty: all was
	Verdicts      []VerdictCount
}

// Exposure is what became of an item, or of those of a label.
type Exposure struct {
	Name                      string
	Shown, Clicked, Purchased int64
	Slots                     int64 // added up, from 1
}

// VerdictCount is on how many requests an item ended up so.
type VerdictCount struct {
	Verdict  ranker.Verdict
	Requests int
}

const (
	// exposureLists and exposureEntries bound how much of the decision log and of the log
	// of events is read.
	exposureLists   = 1_000_000
	exposureEntries = 2_000_000
)

// Exposure counts what was shown, clicked and purchased in a time range, from the logs. It
// waits as bulk calls do, one of both at a time, and holds a row for each item that was.
// Errors: *InputError, ErrOverloaded, the context's.
func (s *Shop) Exposure(ctx context.Context, q *ExposureQuery) (*ExposureReply, error) {
	window := TrialQuery{From: q.From, Until: q.Until, Surface: q.Surface, Requests: cmp.Or(q.Requests, 100), Seed: q.Seed, Policy: trialPolicy()}
	t, err := s.newTrial(&window)
	if err != nil {
		return nil, err
	}
	release, err := s.enterBulk(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	seen, err := s.readExposure(ctx, &window)
	if err != nil {
		return nil, err
	}
	reply := &ExposureReply{Lists: seen.lists, Places: seen.places, Omitted: strings.Join(seen.omitted, "; ")}
	reply.Rows = s.exposureRows(q, seen)
	if q.Explain != "" {
		reply.Verdicts, err = t.verdicts(ctx, q.Explain)
	}
	return reply, err
}

// trialPolicy stands where a trial needs a policy and none is tried.
func trialPolicy() record.Policy { return record.Policy{Name: "trial"} }

// exposure is what was read, by the number of an item.
type exposureRead struct {
	items         map[uint32]*Exposure // without names
	lists, places int64
	omitted       []string
}

func (e *exposureRead) of(item uint32) *Exposure {
	x := e.items[item]
	if x == nil {
		x = &Exposure{}
		e.items[item] = x
	}
	return x
}

// readExposure reads both logs in a window.
func (s *Shop) readExposure(ctx context.Context, q *TrialQuery) (*exposureRead, error) {
	s.decisions.flush()
	from, until := q.window(s.config.Now().Add(time.Second))
	e := &exposureRead{items: map[uint32]*Exposure{}}
	err := s.log.ScanDecisions(from, until, func(d record.Decision) error {
		if q.Surface != "" && d.Surface != q.Surface {
			return ctx.Err()
		}
		if e.lists == exposureLists {
			e.omitted = append(e.omitted, fmt.Sprintf("lists after %s: more than %d in the range", d.Time.UTC().Format(time.RFC3339), exposureLists))
			return errEnough
		}
		e.lists++
		for i := range d.Items {
			x := e.of(d.Items[i].Item)
			x.Shown++
			x.Slots += int64(d.Offset) + int64(i) + 1
		}
		e.places += int64(len(d.Items))
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return e, s.readActs(ctx, e, q.Surface, from, until)
}

// readActs counts clicks and purchases by when they arrived. The log is in that order.
func (s *Shop) readActs(ctx context.Context, e *exposureRead, surface string, from, until time.Time) error {
	head := s.log.Head().Seq
	first := head - min(head, exposureEntries)
	begun := first == 0
	err := s.log.ScanLog(first, func(entry record.Entry) error {
		if !begun {
			begun = true
			if entry.Received.After(from) {
				e.omitted = append(e.omitted, fmt.Sprintf("clicks and purchases before %s: more than %d entries in the range", entry.Received.UTC().Format(time.RFC3339), exposureEntries))
			}
		}
		ev := entry.Stored
		if entry.Seq > head || ev == nil || ev.ItemNumber == record.NoItem || ev.Received.Before(from) || !ev.Received.Before(until) ||
			surface != "" && ev.Surface != surface {
			return ctx.Err()
		}
		switch {
		case ev.Type == record.TypeClick && ev.RecommendationID != "":
			e.of(ev.ItemNumber).Clicked++
		case ev.Type == record.TypePurchase:
			e.of(ev.ItemNumber).Purchased++
		}
		return ctx.Err()
	})
	return err
}

// exposureRows adds items up by what is asked for.
func (s *Shop) exposureRows(q *ExposureQuery, seen *exposureRead) []Exposure {
	sums := map[string]*Exposure{}
	for item, x := range seen.items {
		name := s.exposureName(q.By, item)
		if name == "" {
			continue // an item that has no such label, or is not known any more
		}
		sum := sums[name]
		if sum == nil {
			sum = &Exposure{Name: strings.Clone(name)}
			sums[name] = sum
		}
		sum.Shown, sum.Clicked, sum.Purchased, sum.Slots = sum.Shown+x.Shown, sum.Clicked+x.Clicked, sum.Purchased+x.Purchased, sum.Slots+x.Slots
	}
	var rows []Exposure
	if len(q.Names) > 0 {
		for _, name := range q.Names {
			row := Exposure{Name: name}
			if sum := sums[name]; sum != nil {
				row = *sum
			}
			rows = append(rows, row)
		}
		return rows
	}
	for _, sum := range sums {
		rows = append(rows, *sum)
	}
	slices.SortFunc(rows, func(a, b Exposure) int {
		return cmp.Or(cmp.Compare(b.Shown, a.Shown), strings.Compare(a.Name, b.Name))
	})
	return rows[:min(len(rows), cmp.Or(q.Limit, 100))]
}

// exposureName is an item's id or label; "" where it has none.
func (s *Shop) exposureName(by ExposureBy, item uint32) string {
	if by == ByItem {
		return s.ItemID(item)
	}
	row := s.table.Row(item)
	if row == nil {
		return ""
	}
	return labelText(s.table, by, row)
}

func labelText(t *catalog.Table, by ExposureBy, row *catalog.Row) string {
	switch {
	case by == BySeller && row.Seller != 0:
		return t.Sellers.Text(row.Seller)
	case by == ByBrand && row.Brand != 0:
		return t.Brands.Text(row.Brand)
	case by == ByCategory && row.Category != 0:
		return t.Categories.Text(row.Category)
	}
	return ""
}

// verdicts says where an item ends up on a drawn sample of requests, ranked anew under the
// policies that serve.
func (t *trial) verdicts(ctx context.Context, id string) ([]VerdictCount, error) {
	number, known := t.log.ItemNumber(id)
	if !known {
		return nil, &InputError{Field: "explain_item_id", Description: fmt.Sprintf("item %.80q was never in the catalog", id)}
	}
	sample, err := t.draw(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[ranker.Verdict]int{}
	for i := range sample {
		if err := t.yield(ctx); err != nil {
			return nil, err
		}
		d := &sample[i]
		var req ranker.Request
		if t.ask(&reproducing{Shop: t.Shop, gen: t.gen, d: *d, list: *d}, &req) != "" {
			continue
		}
		name, _, _ := splitPolicyID(d.Policy)
		if serving := t.settings().policies.named(name); serving != nil {
			req.Policy = serving.on(d.Surface)
		}
		var res ranker.Response
		told, err := t.gen.pipeline.Explain(&req, []uint32{number}, &res)
		if err != nil {
			return nil, fmt.Errorf("explaining: %w", err)
		}
		counts[told[0].Verdict]++
	}
	list := make([]VerdictCount, 0, len(counts))
	for v, n := range counts {
		list = append(list, VerdictCount{v, n})
	}
	slices.SortFunc(list, func(a, b VerdictCount) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Verdict, b.Verdict))
	})
	return list, nil
}
