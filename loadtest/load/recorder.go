package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Latencies are kept from 1 microsecond to two minutes at three digits; longer ones count as two minutes.
const longest = 2 * time.Minute

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest.Microseconds(), 3) }

// Stage times and the picture over time need two digits.
func newCoarseHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 2)
}

func record(h *hdrhistogram.Histogram, d time.Duration) { recordMicros(h, d.Microseconds()) }

func recordMicros(h *hdrhistogram.Histogram, us int64) {
	// Within the range RecordValue cannot fail.
	_ = h.RecordValue(min(max(us, 0), longest.Microseconds()))
}

// tally is what a run counts. Not safe for concurrent use.
type tally struct {
	latency [kinds]*hdrhistogram.Histogram // of calls that succeeded; nil: none of the kind
	late    *hdrhistogram.Histogram        // how long after it was due a call was sent
	stage   [stages]*hdrhistogram.Histogram
	errors  map[codes.Code]int64
	samples map[codes.Code]string // one message for each code
	tier    [tiers]int64
	items   int64 // in replies that are lists
	lists   int64
	empty   int64 // lists without an item
	rows    int64 // row errors in answers to writes
	ok      int64
	limited int64 // arrivals that were not sent since too many were in flight
	lastEnd time.Duration

	phase       [phases]*hdrhistogram.Histogram // latency by part of a run with a spike; nil: none
	phaseFailed [phases]int64
}

func newTally() *tally {
	t := &tally{late: newCoarseHistogram(), errors: map[codes.Code]int64{}, samples: map[codes.Code]string{}}
	for s := range t.stage {
		t.stage[s] = newCoarseHistogram()
	}
	return t
}

func (t *tally) success(kind Kind, latency time.Duration, r *reply) {
	if t.latency[kind] == nil {
		t.latency[kind] = newHistogram()
	}
	record(t.latency[kind], latency)
	t.ok++
	t.rows += int64(r.rowErrors)
	if r.layout.items != 0 {
		t.lists++
		t.items += int64(r.items)
		if r.items == 0 {
			t.empty++
		}
	}
	if r.layout.tier != 0 {
		t.tier[r.tier]++
	}
	if kind == KindRecommend && r.timed {
		for s, us := range r.stage {
			recordMicros(t.stage[s], us)
		}
	}
}

func (t *tally) fail(code codes.Code, n int64, sample string) {
	t.errors[code] += n
	if _, has := t.samples[code]; !has {
		t.samples[code] = sample
	}
}

// add counts another tally in.
func (t *tally) add(other *tally) {
	for k, h := range other.latency {
		mergeInto(&t.latency[k], h)
	}
	t.late.Merge(other.late)
	for s, h := range other.stage {
		t.stage[s].Merge(h)
	}
	for code, n := range other.errors {
		t.fail(code, n, other.samples[code])
	}
	for i, n := range other.tier {
		t.tier[i] += n
	}
	t.items += other.items
	t.lists += other.lists
	t.empty += other.empty
	t.rows += other.rows
	t.ok += other.ok
	t.limited += other.limited
	t.lastEnd = max(t.lastEnd, other.lastEnd)
	for i, h := range other.phase {
		mergeInto(&t.phase[i], h)
		t.phaseFailed[i] += other.phaseFailed[i]
	}
}

func mergeInto(to **hdrhistogram.Histogram, from *hdrhistogram.Histogram) {
	if from == nil {
		return
	}
	if *to == nil {
		*to = newHistogram()
	}
	(*to).Merge(from)
}

// all is the latency over every kind of call.
func (t *tally) all() *hdrhistogram.Histogram {
	sum := newHistogram()
	for _, h := range t.latency {
		if h != nil {
			sum.Merge(h)
		}
	}
	return sum
}

// recorder takes what workers report: a tally of the measured calls, and of every call the interval that is now.
type recorder struct {
	mu       sync.Mutex
	measured *tally
	interval *hdrhistogram.Histogram
	failures int64 // in the interval
	spike    bool  // whether parts of the run are told apart
	contact  contact
}

func newRecorder() *recorder { return &recorder{measured: newTally(), interval: newCoarseHistogram()} }

// outcome is how one call went.
type outcome struct {
	arrival
	sent, end time.Duration // since the start
	err       error
}

func (r *recorder) record(o outcome, answer *reply) {
	latency := o.end - o.due
	r.mu.Lock()
	defer r.mu.Unlock()
	code := codes.OK
	if o.err == nil {
		record(r.interval, latency)
	} else {
		code = status.Code(o.err)
		r.failures++
	}
	r.contact.note(code, o.end)
	if !o.measured {
		return
	}
	t := r.measured
	record(t.late, o.sent-o.due)
	t.lastEnd = max(t.lastEnd, o.end)
	if o.err == nil {
		t.success(o.kind, latency, answer)
		if r.spike {
			t.addPhase(o.phase, latency)
		}
	} else {
		t.fail(code, 1, status.Convert(o.err).Message())
		t.phaseFailed[o.phase]++
	}
}

// takeInterval moves the interval so far into sum and begins a new one.
func (r *recorder) takeInterval(sum *hdrhistogram.Histogram) (failures int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum.Merge(r.interval)
	r.interval.Reset()
	failures, r.failures = r.failures, 0
	return failures
}
