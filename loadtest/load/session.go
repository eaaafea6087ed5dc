package load

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Sessions makes calls come as people do: somebody arrives, looks at a page, is shown recommendations, thinks, clicks.
//
// The loop stays open: sessions begin by schedule, and the times within one are drawn beforehand as well. A user whom the
// server keeps waiting does not wait longer in between, as that would spare a slow server (a partly open loop does).
type Sessions struct {
	// Steps are what a session does, in order, 1 to 100. A user stays for each next step with the probability Stay.
	Steps []SessionStep
	// Think is the mean time between two steps, exponentially distributed, above 0 to an hour.
	Think time.Duration
	// Stay, above 0 to 1.
	Stay float64
}

// SessionStep is one call of a session: an event that the user does, or what the site asks for meanwhile. A view or click
// opens a page of another item; what follows is about that item.
type SessionStep struct {
	kind Kind
	act  act
}

// act is the type of an event, so that an arrival stays small.
type act uint8

const (
	actView act = iota
	actClick
	actLike
	actCart
	actPurchase
	acts
)

var actNames = [acts]string{"view", "click", "like", "add_to_cart", "purchase"}

// ParseSessionSteps reads "view,recommend,click,recommend,add_to_cart": events (view, click, like, add_to_cart, purchase) and
// calls (recommend, similar, search, rank, empty).
func ParseSessionSteps(text string) ([]SessionStep, error) {
	var steps []SessionStep
	for name := range strings.SplitSeq(text, ",") {
		step, ok := parseStep(strings.TrimSpace(name))
		if !ok {
			return nil, fmt.Errorf("load: session %q: %q is not one of %s, recommend, similar, search, rank, empty", text, name, strings.Join(actNames[:], ", "))
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func parseStep(name string) (SessionStep, bool) {
	if i := slices.Index(actNames[:], name); i >= 0 {
		return SessionStep{KindEvent, act(i)}, true
	}
	kind, known := kindByName(name)
	if !known || kind == KindEvent || kind == KindPatch || kind == KindAdd {
		return SessionStep{}, false // a visitor does not keep the catalog, and an event has a name of its own
	}
	return SessionStep{kind: kind}, true
}

// String is the name that ParseSessionSteps reads.
func (s SessionStep) String() string {
	if s.kind == KindEvent && s.act < acts {
		return actNames[s.act]
	}
	return s.kind.String()
}

// String writes the steps as ParseSessionSteps reads them.
func (s *Sessions) String() string {
	names := make([]string, len(s.Steps))
	for i, step := range s.Steps {
		names[i] = step.String()
	}
	return strings.Join(names, ",")
}

// mostVisitors bounds the sessions under way, at about 40 bytes each.
const mostVisitors = 1_000_000

func (s *Sessions) validate(rate float64) error {
	if s == nil {
		return nil
	}
	if len(s.Steps) < 1 || len(s.Steps) > 100 || s.Think <= 0 || s.Think > time.Hour || !(s.Stay > 0 && s.Stay <= 1) {
		return fmt.Errorf("load: sessions of %d steps, %v between them, with a chance of %v to stay: must be 1 to 100 steps, above 0 to 1h, and above 0 to 1",
			len(s.Steps), s.Think, s.Stay)
	}
	if open := s.open(rate); open > mostVisitors {
		return fmt.Errorf("load: %.0f sessions would be under way at %v calls a second, more than %d; lower --rate or --think", open, rate, mostVisitors)
	}
	return nil
}

// meanCalls is the mean number of calls in a session.
func (s *Sessions) meanCalls() float64 {
	if s.Stay == 1 {
		return float64(len(s.Steps))
	}
	return (1 - math.Pow(s.Stay, float64(len(s.Steps)))) / (1 - s.Stay)
}

// open is how many sessions are under way on average at a rate of calls.
func (s *Sessions) open(rate float64) float64 {
	return rate / s.meanCalls() * (s.meanCalls() - 1) * s.Think.Seconds()
}

// lead is how long before the run sessions begin to arrive, so that their calls come at the full rate from its start.
// Longer sessions than that are rare: the sum of n thinking times exceeds n+10 times the mean once in hundreds of times or less.
func (s *Sessions) lead() time.Duration {
	if len(s.Steps) == 1 {
		return 0
	}
	return time.Duration(len(s.Steps)+9) * s.Think
}

// mix is the share of each sort of call among those of the sessions.
func (s *Sessions) mix() Mix {
	var m Mix
	chance := 1 / s.meanCalls()
	for _, step := range s.Steps {
		m[step.kind] += chance
		chance *= s.Stay
	}
	return m
}

// visit is a session under way.
type visit struct {
	due    float64 // of the next step, seconds since the start of the run
	number uint64  // in order of arrival; decides between two that are due at once
	user   uint32
	item   uint32 // the page that the user is on
	step   int
}

// visitors are the sessions under way, next due first.
type visitors struct {
	plan   Sessions
	heap   visitHeap
	number uint64
}

type visitHeap []visit

func (h visitHeap) Len() int { return len(h) }
func (h visitHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].number < h[j].number
}
func (h visitHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *visitHeap) Push(x any)   { *h = append(*h, x.(visit)) }
func (h *visitHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// drawVisit gives the next call of any session; false: the run is over.
func (s *sequence) drawVisit() (arrival, bool) {
	for {
		s.admit()
		v := &s.visits.heap[0]
		due := time.Duration(v.due * float64(time.Second))
		if due >= s.end {
			return arrival{}, false
		}
		a := s.take(v)
		if due < 0 {
			continue // before the run: somebody who came earlier and is still here
		}
		a.due = due
		s.stamp(&a)
		return a, true
	}
}

// admit lets in the sessions that begin before the next step of those under way.
func (s *sequence) admit() {
	h := &s.visits.heap
	for len(*h) == 0 || s.gaps.due().Seconds() <= (*h)[0].due {
		s.visits.number++
		heap.Push(h, visit{due: s.gaps.due().Seconds(), number: s.visits.number, user: uint32(s.users.Uint64()), item: s.drawItem()})
		s.gaps.advance()
	}
}

// take makes the call of the first session's step and lets it go on or leave.
func (s *sequence) take(v *visit) arrival {
	plan := &s.visits.plan
	step := plan.Steps[v.step]
	if step.kind == KindEvent && (step.act == actView || step.act == actClick) {
		v.item = s.drawItem()
	}
	a := arrival{seed: s.random.Uint64(), user: v.user, item: v.item, kind: step.kind, act: step.act, page: s.items > 0}
	if v.step++; v.step < len(plan.Steps) && s.random.Float64() < plan.Stay {
		v.due += s.random.ExpFloat64() * plan.Think.Seconds()
		heap.Fix(&s.visits.heap, 0)
	} else {
		heap.Pop(&s.visits.heap)
	}
	return a
}
