package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// TrialQuery asks what a policy would change.
type TrialQuery struct {
	Policy      record.Policy // need not be put
	Against     string        // "name" or "name/version"; empty: what each request was served by, in its last version
	From, Until time.Time     // zero: the last 7 days, until now
	Surface     string        // empty: all
	Requests    int           // to draw, 1 to MaxTrial; 0: 500
	Seed        uint64        // draws them; 0: 1
}

const (
	// MaxTrial bounds TrialQuery.Requests.
	MaxTrial = 5000
	// trialWindow is what is looked at where the query does not say.
	trialWindow = 7 * 24 * time.Hour
	// newAge is how long an item counts as new in figures of exposure.
	newAge = 30 * 24 * time.Hour
)

// Trial is what TryPolicy came to.
type Trial struct {
	Logged      int64          // lists of the window that may be drawn
	Requests    int            // ranked anew
	Skipped     map[string]int // drawn and not ranked anew, by why
	Changed     int            // lists that differ
	Displaced   int            // items that gave way to others
	Both, Moved int            // items in both lists, and the slots that they move
	Base, Tried TrialSide
	Items       []Shift
	Sellers     []Shift
	Brands      []Shift
	Categories  []Shift
	Effect      TrialEffect
}

// TrialSide sums up the lists of one policy.
type TrialSide struct {
	Places, New, Categories int // Categories: different ones of each list, added up
	Items                   int // different ones in all
}

// TryPolicy ranks a drawn sample of logged requests anew under a policy and under what
// serves. It runs on one goroutine as bulk calls do, one of both at a time, yields to every
// other request, and serves, logs and counts nothing. progress is called after each
// request. Memory grows with the sample, not with the log. Errors: *InputError,
// ErrOverloaded, what progress returns, or the context's.
func (s *Shop) TryPolicy(ctx context.Context, q *TrialQuery, progress func(done, total int) error) (*Trial, error) {
	t, err := s.newTrial(q)
	if err != nil {
		return nil, err
	}
	release, err := s.enterBulk(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	s.decisions.flush()
	sample, err := t.draw(ctx)
	if err != nil {
		return nil, err
	}
	clicks, all, err := s.clicksOf(ctx, sample)
	if err != nil {
		return nil, err
	}
	t.offPolicy.unread = !all
	for i := range sample {
		if err := s.yield(ctx); err != nil {
			return nil, err
		}
		if why, err := t.one(&sample[i], clicks[sample[i].ID]); err != nil {
			return nil, err
		} else if why != "" {
			t.out.Skipped[why]++
		}
		if err := progress(i+1, len(sample)); err != nil {
			return nil, err
		}
	}
	return t.finish(), nil
}

// trial is one call under way.
type trial struct {
	*Shop
	q         *TrialQuery
	gen       *generation
	policy    *policy
	against   *policy // nil: as each request was served
	rng       *rand.Rand
	out       Trial
	exposed   exposed
	offPolicy offPolicy
}

func (s *Shop) newTrial(q *TrialQuery) (*trial, error) {
	switch {
	case q.Requests < 0 || q.Requests > MaxTrial:
		return nil, &InputError{Field: "requests", Description: fmt.Sprintf("is %d: give 1 to %d, or 0 for 500", q.Requests, MaxTrial)}
	case !q.From.IsZero() && !q.Until.IsZero() && !q.From.Before(q.Until):
		return nil, &InputError{Field: "from_time", Description: "is not before until_time: give a window"}
	}
	for _, f := range s.CheckPolicy(&q.Policy) {
		return nil, &InputError{Field: "policy." + f.Field, Description: f.Description}
	}
	t := &trial{Shop: s, q: q, gen: s.gen.Load(), rng: rand.New(rand.NewPCG(max(1, q.Seed), 1)), exposed: newExposed()}
	t.out.Skipped = map[string]int{}
	t.policy, _ = s.compile(q.Policy) // CheckPolicy had its faults
	if q.Against != "" {
		if t.against = s.settings().policies.named(q.Against); t.against == nil {
			return nil, &InputError{Field: "against", Description: fmt.Sprintf("there is no policy %.80q, or its version is not kept any more", q.Against)}
		}
	}
	return t, nil
}

// window is where the decisions are.
func (q *TrialQuery) window(now time.Time) (from, until time.Time) {
	if until = q.Until; until.IsZero() {
		until = now
	}
	if from = q.From; from.IsZero() {
		from = until.Add(-trialWindow)
	}
	return from, until
}

// draw keeps a uniform sample of the window (algorithm R; Vitter, 1985).
func (t *trial) draw(ctx context.Context) ([]record.Decision, error) {
	most := cmp.Or(t.q.Requests, 500)
	from, until := t.q.window(t.config.Now().Add(time.Second))
	var sample []record.Decision
	err := t.log.ScanDecisions(from, until, func(d record.Decision) error {
		if !drawable(&d) || t.q.Surface != "" && d.Surface != t.q.Surface {
			return ctx.Err()
		}
		t.out.Logged++
		if len(sample) < most {
			sample = append(sample, d)
		} else if at := t.rng.Int64N(t.out.Logged); at < int64(most) {
			sample[at] = d
		}
		return ctx.Err()
	})
	return sample, err
}

// drawable: first pages of lists that were asked for without a text or items.
func drawable(d *record.Decision) bool {
	return (d.Kind == record.DecisionRecommend || d.Kind == record.DecisionBulk) && d.Offset == 0 && d.Limit > 0 && d.Degraded == 0 && len(d.Items) > 0
}

// one ranks a request anew under both policies. why is why it cannot.
func (t *trial) one(d *record.Decision, clicks int) (why string, err error) {
	var req ranker.Request
	r := &reproducing{Shop: t.Shop, gen: t.gen, d: *d, list: *d}
	if why := t.ask(r, &req); why != "" {
		return why, nil
	}
	served := t.settings().policies
	logged := served.find(d.Policy)
	base := t.against
	if base == nil {
		name, _, _ := splitPolicyID(d.Policy)
		if base = served.named(name); base == nil {
			return "its policy was deleted", nil
		}
	}
	before, err := t.rank(req, d, base, logged, req.Seed)
	if err != nil {
		return "", err
	}
	after, err := t.rank(req, d, t.policy, logged, req.Seed)
	if err != nil {
		return "", err
	}
	t.compare(before, after)
	return "", t.weigh(req, d, logged, clicks)
}

// ask makes the request of a decision, from what was known then.
func (t *trial) ask(r *reproducing, req *ranker.Request) (why string) {
	if r.policy = t.settings().policies.find(r.d.Policy); r.policy == nil {
		r.policy = t.settings().policies.last[DefaultPolicy] // its variants, at most, are not known
	}
	p := &person{}
	r.findPerson(p)
	if r.names(InputGone) != "" {
		return "its user was erased, or the events are past the retention"
	}
	if !r.ask(req, p) {
		return "its filter, or an earlier row of its page, is gone"
	}
	req.Limit, req.Losers = int(r.d.Limit), 0
	return ""
}

// rank makes the list of a policy. What the request said itself holds; what its policy or
// its surface said is this policy's to say.
func (t *trial) rank(req ranker.Request, d *record.Decision, p, logged *policy, seed uint64) ([]uint32, error) {
	surface := t.settings().surface(d.Surface)
	req.Policy, req.Seed = p.on(d.Surface), seed
	if logged != nil && d.Diversity == diversity(&Row{Diversity: -1}, logged, surface) {
		req.Diversity = diversity(&Row{Diversity: -1}, p, surface)
	}
	if logged != nil && d.Seen == seenNames[seenPolicy(SeenDefault, logged, surface)] {
		req.Seen = seenPolicy(SeenDefault, p, surface)
	}
	var res ranker.Response
	if err := t.gen.pipeline.Recommend(&req, &res); err != nil {
		return nil, fmt.Errorf("ranking: %w", err)
	}
	return itemsOf(res.Items), nil
}

// clicksBound bounds how much of the log is read for clicks.
const clicksBound = 2_000_000

// clicksOf counts the clicked items of decisions, by their ids. all: the log was read to
// its end.
func (s *Shop) clicksOf(ctx context.Context, sample []record.Decision) (_ map[string]int, all bool, _ error) {
	type click struct {
		reply string
		item  uint32
	}
	counts, seen, first := make(map[string]int, len(sample)), map[click]bool{}, ^uint64(0)
	shown := make(map[click]bool)
	for i := range sample {
		first = min(first, sample[i].Applied)
		for _, x := range sample[i].Items {
			shown[click{sample[i].ID, x.Item}] = true
		}
	}
	if len(sample) == 0 {
		return counts, true, nil
	}
	read := 0
	err := s.log.ScanLog(first, func(e record.Entry) error {
		if read++; read > clicksBound {
			return errEnough
		}
		if e.Stored == nil || e.Stored.Type != record.TypeClick || e.Stored.RecommendationID == "" {
			return ctx.Err()
		}
		c := click{e.Stored.RecommendationID, e.Stored.ItemNumber}
		if shown[c] && !seen[c] {
			seen[c] = true
			counts[c.reply]++
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		return counts, false, nil
	}
	return counts, true, err
}
