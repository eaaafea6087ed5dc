package sequence

import (
	"math/rand/v2"
	"slices"
)

// batch is the events of some sequences, end to end, and what is asked of each.
type batch struct {
	events  []Event // [rows]: inputs
	starts  []int32 // [rows]: the first row of a row's sequence
	back    []int32 // [rows]: how many events of its sequence follow
	targets []target
	parts   []int // the row after the last of each part; parts are whole sequences
	total   float64
}

// target is what one row is to predict.
type target struct {
	row    int32
	item   uint32
	weight float32
}

// partRows is about how many rows a goroutine takes through the whole model at a time:
// few enough for what lies between the steps to stay in its cache.
const partRows = 128

func (b *batch) reset() {
	b.events, b.starts, b.back = b.events[:0], b.starts[:0], b.back[:0]
	b.targets, b.parts, b.total = b.targets[:0], b.parts[:0], 0
}

// add appends one sequence of inputs.
func (b *batch) add(events []Event) {
	first := len(b.events)
	b.events = append(b.events, events...)
	for i := range events {
		b.starts = append(b.starts, int32(first))
		b.back = append(b.back, int32(len(events)-1-i))
	}
	before := 0
	if n := len(b.parts); n > 1 {
		before = b.parts[n-2]
	}
	if n := len(b.parts); n > 0 && b.parts[n-1]-before < partRows {
		b.parts[n-1] = len(b.events)
		return
	}
	b.parts = append(b.parts, len(b.events))
}

// learn appends one sequence: each event but the last is asked for the next.
func (b *batch) learn(events []Event) {
	first := len(b.events)
	b.add(events[:len(events)-1])
	for i, e := range events[1:] {
		if e.Weight > 0 {
			b.targets = append(b.targets, target{int32(first + i), e.Item, e.Weight})
			b.total += float64(e.Weight)
		}
	}
}

// part gives the rows of a part.
func (b *batch) part(i int) (from, to int) {
	if i > 0 {
		from = b.parts[i-1]
	}
	return from, b.parts[i]
}

// epochOrder is the order of the sequences in an epoch, and where each step ends in it.
func (o Options) epochOrder(c *corpus, epoch int) (order, ends []int) {
	order = rand.New(rand.NewPCG(o.Seed, uint64(epoch))).Perm(c.len())
	sequences, rows := 0, 0
	for i, s := range order {
		n := len(c.sequence(s)) - 1
		if sequences == o.Batch || sequences > 0 && rows+n > o.BatchTokens {
			ends = append(ends, i)
			sequences, rows = 0, 0
		}
		sequences++
		rows += n
	}
	return order, append(ends, len(order))
}

// assemble fills a batch with sequences as the step reads them.
func (b *batch) assemble(o Options, c *corpus, sequences []int, step uint64) {
	b.reset()
	rng := rand.New(rand.NewPCG(o.Seed^0xa5a5a5a5a5a5a5a5, step))
	var own []Event
	for _, s := range sequences {
		events := c.sequence(s)
		if o.Reverse > 0 || o.EventDropout > 0 {
			own = append(own[:0], events...)
			events = o.vary(own, rng)
		}
		b.learn(events)
	}
}

// vary reverses a sequence or leaves out events of it, in place. At least two stay.
func (o Options) vary(events []Event, rng *rand.Rand) []Event {
	if o.Reverse > 0 && rng.Float32() < o.Reverse {
		slices.Reverse(events)
	}
	if o.EventDropout == 0 || len(events) < 3 {
		return events
	}
	whole := slices.Clone(events)
	kept := slices.DeleteFunc(events, func(Event) bool { return rng.Float32() < o.EventDropout })
	if len(kept) < 2 {
		return whole
	}
	return kept
}
