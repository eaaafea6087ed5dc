package shop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// EvaluationQuery asks for a comparison of a bundle with what serves.
type EvaluationQuery struct {
	Hash  string // its first digits
	Cases int    // at most so many persons, 1 to MaxCases; 0: 300
	Seed  uint64 // draws them; 0: 1
}

// MaxCases bounds EvaluationQuery.Cases.
const MaxCases = 10_000

// listLength is how many items the lists have that are compared.
const listLength = 10

// Comparison sets a candidate beside what serves.
type Comparison struct {
	Candidate, Serving bundle.Hash // Serving empty: no model
	Cases              int
	// Unseen: the items to be found are later than all that the candidate was trained on.
	Unseen  bool
	Overlap float64 // mean share of items that both lists have, 0 to 1
	Of      Figures // the candidate's
	Now     Figures // of what serves
	// Untrained are the figures of no model; nil: that is what serves.
	Untrained *Figures
	// Gain is how much the candidate's NDCG is above that of what serves, over the cases, and
	// GainUntrained above that of no model.
	Gain, GainUntrained Paired
	BuildTime           time.Duration
	Time                time.Duration // of comparing
}

// Figures say how good the lists of one side are.
type Figures struct {
	HitRate, NDCG float64       // at 10, 0 to 1
	Coverage      float64       // share of the catalog in some list, 0 to 1
	P50, P99      time.Duration // to make a user vector and rank
	Recall        float64       // of the exact nearest that the index of user space finds, 0 to 1
}

// Evaluate builds a candidate beside what serves and compares the two on what people did
// lately: each case is a person's history without its last item, which is to be found. Items
// that a person came to by themselves are asked for where there are enough of them: those
// that a list showed speak for the model that made the list, whatever its worth.
// Both rank with counts of the last acts in which no answer was counted.
// One comparison runs at a time: ErrOverloaded. Errors beside it: *InputError, ErrUnfit,
// bundle.ErrDamaged, record.ErrNotFound.
func (s *Shop) Evaluate(ctx context.Context, q *EvaluationQuery) (*Comparison, error) {
	hash, err := s.findModel(q.Hash)
	if err != nil {
		return nil, err
	}
	if q.Cases < 0 || q.Cases > MaxCases {
		return nil, &InputError{Field: "settings.cases", Description: fmt.Sprintf("is %d: give 1 to %d, or 0 for 300", q.Cases, MaxCases)}
	}
	if !s.models.evaluating.TryLock() {
		return nil, fmt.Errorf("%w: a comparison is under way, one runs at a time; retry later", ErrOverloaded)
	}
	defer s.models.evaluating.Unlock()
	begin := time.Now()
	now := s.gen.Load()
	candidate, data, err := s.candidate(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	built := time.Now()
	cases, unseen, err := s.cases(ctx, q, data)
	if err != nil {
		return nil, err
	}
	sides, err := s.sidesWithout(ctx, cases, candidate, now)
	if err != nil {
		return nil, err
	}
	c := comparison{shop: s, sides: sides}
	for _, k := range cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.add(k); err != nil {
			return nil, err
		}
	}
	out := &Comparison{
		Candidate: hash, Serving: now.modelHash(), Cases: len(cases), Unseen: unseen && len(cases) > 0,
		BuildTime: built.Sub(begin), Time: time.Since(built),
	}
	if len(cases) > 0 {
		out.Overlap = c.overlap / float64(len(cases))
	}
	items := s.CatalogItems()
	out.Of, out.Now = c.sides[0].figures(len(cases), items), c.sides[1].figures(len(cases), items)
	out.Gain = difference(c.sides[0].gains, c.sides[1].gains)
	if len(c.sides) > 2 {
		f := c.sides[2].figures(len(cases), items)
		out.Untrained, out.GainUntrained = &f, difference(c.sides[0].gains, c.sides[2].gains)
	}
	return out, nil
}

// errBridged: another encoder serves in place of the tenant's.
var errBridged = fmt.Errorf("%w: the vectors of the text encoder are not there yet: wait until they serve", ErrPrecondition)

// candidate builds a model beside the one that serves.
func (s *Shop) candidate(ctx context.Context, hash bundle.Hash, now *generation) (*model, bundle.DataRange, error) {
	if now.bridge {
		return nil, bundle.DataRange{}, errBridged
	}
	manifest, err := s.models.registry.Manifest(hash)
	if err != nil {
		return nil, bundle.DataRange{}, err
	}
	m, err := s.openModel(hash)
	if err != nil {
		return nil, bundle.DataRange{}, err
	}
	if err := s.fillModel(ctx, now, m, restrained()); err != nil {
		return nil, bundle.DataRange{}, err
	}
	if !s.refreshing.TryLock() {
		return nil, bundle.DataRange{}, fmt.Errorf("%w: a generation is being made; retry later", ErrOverloaded)
	}
	defer s.refreshing.Unlock()
	return m, manifest.Data, s.buildSpace(ctx, m.space, Flat, restrained())
}

// testCase is a person's history, and the item that came next.
type testCase struct {
	number uint64
	before []touch
	next   uint32
}

const (
	// evaluationWindow is how much of the log cases are drawn from.
	evaluationWindow = 200_000
	// fewUnseen is how many cases later than the training there must be, for the others
	// to be left out.
	fewUnseen = 20
	// fewOwn is how many cases there must be that no list led to, for the others to be left out.
	fewOwn = 50
)

var errWindow = errors.New("the window is read")

// cases draws persons from the last part of the log. Those who went on after the
// candidate was trained come alone, where they are enough; of these, the items that a person
// came to without a list, where they are enough.
func (s *Shop) cases(ctx context.Context, q *EvaluationQuery, data bundle.DataRange) (drawn []testCase, unseen bool, err error) {
	most := q.Cases
	if most == 0 {
		most = 300
	}
	head := s.log.Head().Seq
	from := head - min(head, evaluationWindow)
	for _, after := range []uint64{max(from, data.LogHead), from} {
		led, err := s.led(ctx, after, head)
		if err != nil {
			return nil, false, err
		}
		own, err := s.draw(ctx, most, q.Seed, after, led)
		if err != nil {
			return nil, false, err
		}
		if drawn = own; len(own) < min(fewOwn, most) && len(led) > 0 {
			if drawn, err = s.draw(ctx, most, q.Seed, after, nil); err != nil {
				return nil, false, err
			}
		}
		if unseen = data.LogHead > 0 && after >= data.LogHead; !unseen || len(drawn) >= min(fewUnseen, most) {
			return drawn, unseen, nil
		}
	}
	return drawn, false, nil
}

// draw draws persons with a case after a place whose answer is not in led.
func (s *Shop) draw(ctx context.Context, most int, seed, after uint64, led map[uint64]struct{}) (drawn []testCase, err error) {
	persons, err := s.lateActors(ctx, after, s.log.Head().Seq)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(max(1, seed), 0))
	r.Shuffle(len(persons), func(i, j int) { persons[i], persons[j] = persons[j], persons[i] })
	for _, number := range persons {
		if len(drawn) == most {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		touches, optOut, err := s.readProfile(number, 0, time.Time{})
		if err != nil {
			return nil, err
		}
		if k, ok := s.split(number, touches, after, led); ok && !optOut {
			drawn = append(drawn, k)
		}
	}
	return drawn, nil
}

// led are the events after a place that a list led to, by their places.
func (s *Shop) led(ctx context.Context, after, head uint64) (map[uint64]struct{}, error) {
	led := map[uint64]struct{}{}
	err := s.log.ScanLog(after, func(e record.Entry) error {
		if e.Seq > head {
			return errWindow
		}
		if e.Stored != nil && e.Event.RecommendationID != "" {
			led[e.Seq] = struct{}{}
		}
		return ctx.Err()
	})
	if errors.Is(err, errWindow) {
		err = nil
	}
	return led, err
}

// lateActors returns the persons who acted on an item after a place, in the order of the
// log.
func (s *Shop) lateActors(ctx context.Context, after, head uint64) ([]uint64, error) {
	types := s.settings().types
	seen := map[uint64]struct{}{}
	var persons []uint64
	err := s.log.ScanLog(after, func(e record.Entry) error {
		if e.Seq > head {
			return errWindow
		}
		if e.Stored == nil || e.ItemNumber == record.NoItem || types.weight(e.Event) <= 0 {
			return ctx.Err()
		}
		if _, ok := seen[e.UserNumber]; !ok {
			seen[e.Stored.UserNumber] = struct{}{}
			persons = append(persons, e.Stored.UserNumber)
		}
		return ctx.Err()
	})
	if errors.Is(err, errWindow) {
		err = nil
	}
	slices.Sort(persons)
	return slices.Compact(persons), err
}

// split takes the last item that a person liked, which must be later than a place, not in led
// and in the catalog, off their history.
func (s *Shop) split(number uint64, touches []touch, after uint64, led map[uint64]struct{}) (testCase, bool) {
	for i := len(touches) - 1; i > 0 && touches[i].seq > after; i-- {
		t := &touches[i]
		if t.weight <= 0 || s.table.Row(t.item) == nil {
			continue
		}
		if _, ok := led[t.seq]; ok {
			continue
		}
		// What was touched before is no news, and what follows is not known yet.
		if slices.ContainsFunc(touches[:i], func(b touch) bool { return b.item == t.item }) {
			continue
		}
		return testCase{number, touches[:i], t.item}, true
	}
	return testCase{}, false
}

// comparison runs the cases through generations.
type comparison struct {
	shop    *Shop
	sides   []*side // the candidate, what serves and, where that is a model, none
	overlap float64
}

// side is one of them.
type side struct {
	gen        *generation
	person     person
	response   ranker.Response
	list       []uint32
	shown      map[uint32]struct{}
	times      []time.Duration
	hits, gain float64   // sums
	gains      []float64 // NDCG by case
}

func newSide(g *generation) *side { return &side{gen: g, shown: map[uint32]struct{}{}} }

// add runs one case. The side that goes first changes, so that neither finds the caches
// warm each time.
func (c *comparison) add(k testCase) error {
	first := len(c.sides[0].times)
	for i := range c.sides {
		if err := c.sides[(first+i)%len(c.sides)].run(c.shop, k); err != nil {
			return err
		}
	}
	a, b := c.sides[0].list, c.sides[1].list
	same := 0
	for _, item := range a {
		if slices.Contains(b, item) {
			same++
		}
	}
	if n := max(len(a), len(b)); n > 0 {
		c.overlap += float64(same) / float64(n)
	} else {
		c.overlap++
	}
	return nil
}

// run answers one case.
func (d *side) run(s *Shop, k testCase) error {
	begin := time.Now()
	p := &d.person
	p.reset()
	p.touches = append(p.touches, k.before...)
	s.convert(p)
	p.taste = s.makeTaste(p, d.gen, 0)
	last := k.before[len(k.before)-1]
	req := ranker.Request{
		History: p.history, UserVector: p.vector(), Hidden: p.hidden, Now: max(last.at, 1), Limit: listLength, Seed: 1,
		Seen: ranker.HideInteracted,
	}
	if err := d.gen.pipeline.Recommend(&req, &d.response); err != nil {
		return fmt.Errorf("ranking: %w", err)
	}
	d.times = append(d.times, time.Since(begin))
	d.list = d.list[:0]
	gain := 0.0
	for i, it := range d.response.Items {
		d.list = append(d.list, it.Item)
		d.shown[it.Item] = struct{}{}
		if it.Item == k.next {
			d.hits++
			gain = 1 / math.Log2(float64(i)+2)
		}
	}
	d.gain += gain
	d.gains = append(d.gains, gain)
	return nil
}

// figures sums up.
func (d *side) figures(cases int, items int64) Figures {
	f := Figures{Recall: 1}
	if check := d.gen.users().check.Load(); check != nil {
		f.Recall = check.recall
	}
	if cases == 0 {
		return f
	}
	n := float64(cases)
	f.HitRate, f.NDCG, f.Coverage = d.hits/n, d.gain/n, float64(len(d.shown))/float64(max(1, items))
	slices.Sort(d.times)
	f.P50, f.P99 = d.times[len(d.times)/2], d.times[(len(d.times)-1)*99/100]
	return f
}
