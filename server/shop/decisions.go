package shop

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// decisionLog writes decisions behind the replies. A full queue drops, counts, and
// says so: a reply never waits for it.
type decisionLog struct {
	queue   chan pending
	rest    chan *record.Decision // memory of decisions that were written
	flushes chan chan struct{}    // each closed when all that waited before is written
	quit    chan struct{}
	gone    chan struct{} // closed when the writer has ended
	once    sync.Once
	batch   []record.Decision // this and the next two are the writer's
	taken   []pending
	linger  *time.Timer
	dropped atomic.Int64
}

// pending is a decision that waits to be written.
type pending struct {
	*record.Decision
	first *ranking // whose first showing it is, told when it is on disk; nil: of none that is kept
}

const (
	// decisionBatch is how many decisions are written at once.
	decisionBatch = 256
	// decisionLinger is how long a decision waits for others to be written with: the
	// fewer batches, the less often events share a commit with one.
	decisionLinger = 20 * time.Millisecond
)

func startDecisionLog(log Log, config Config) *decisionLog {
	d := &decisionLog{
		queue: make(chan pending, config.DecisionQueue), rest: make(chan *record.Decision, 2*decisionBatch),
		flushes: make(chan chan struct{}),
		quit:    make(chan struct{}), gone: make(chan struct{}), linger: time.NewTimer(time.Hour),
	}
	go func() {
		defer close(d.gone)
		d.run(log, config)
	}()
	return d
}

// run writes batches until it is told to quit, and then what waits.
func (d *decisionLog) run(log Log, config Config) {
	for {
		select {
		case first := <-d.queue:
			d.write(log, config, first)
		case done := <-d.flushes:
			d.drain(log, config)
			close(done)
		case <-d.quit:
			d.drain(log, config)
			return
		}
	}
}

// drain writes what waits now.
func (d *decisionLog) drain(log Log, config Config) {
	for range len(d.queue) {
		select {
		case first := <-d.queue:
			d.write(log, config, first)
		default:
			return
		}
	}
}

// write writes one decision and those that come soon after it, up to a batch.
func (d *decisionLog) write(log Log, config Config, first pending) {
	d.batch = d.gather(append(d.batch[:0], *first.Decision), first)
	if err := log.PutDecisions(d.batch); err != nil {
		d.dropped.Add(int64(len(d.batch)))
		config.Log.Error("decisions not logged", "count", len(d.batch), "error", err)
	} else {
		for i := range d.taken {
			if first := d.taken[i].first; first != nil {
				first.logged.Store(true)
			}
		}
	}
	for i := range d.taken {
		d.giveBack(d.taken[i].Decision)
	}
	clear(d.batch)
	clear(d.taken)
	d.taken = d.taken[:0]
}

// gather adds what comes within decisionLinger, up to a batch.
func (d *decisionLog) gather(batch []record.Decision, first pending) []record.Decision {
	d.taken = append(d.taken, first)
	d.linger.Reset(decisionLinger)
	defer d.linger.Stop()
	for len(batch) < decisionBatch {
		select {
		case next := <-d.queue:
			batch, d.taken = append(batch, *next.Decision), append(d.taken, next)
		case <-d.linger.C:
			return batch
		case <-d.quit:
			return d.gatherWaiting(batch) // nothing comes any more
		}
	}
	return batch
}

// gatherWaiting adds what waits already, up to a batch.
func (d *decisionLog) gatherWaiting(batch []record.Decision) []record.Decision {
	for len(batch) < decisionBatch {
		select {
		case next := <-d.queue:
			batch, d.taken = append(batch, *next.Decision), append(d.taken, next)
		default:
			return batch
		}
	}
	return batch
}

// take returns a decision to fill and put; its slices may be reused.
func (d *decisionLog) take() *record.Decision {
	select {
	case r := <-d.rest:
		return r
	default:
		return new(record.Decision)
	}
}

// giveBack keeps the slices of a decision that is no longer used.
func (d *decisionLog) giveBack(r *record.Decision) {
	*r = record.Decision{Items: r.Items[:0], Losers: r.Losers[:0], Exclude: r.Exclude[:0]}
	select {
	case d.rest <- r:
	default:
	}
}

// put hands a decision of take over and reports whether it will be written. It must
// not be used afterwards. first is the ranking that it shows for the first time, nil: none.
func (d *decisionLog) put(decision *record.Decision, first *ranking) bool {
	select {
	case d.queue <- pending{decision, first}:
		return true
	default:
		d.dropped.Add(1)
		d.giveBack(decision)
		return false
	}
}

// close writes what waits and ends the writer. What is put later is not written.
func (d *decisionLog) close() {
	d.once.Do(func() { close(d.quit) })
	<-d.gone
}

// flush returns when what was put before is written.
func (d *decisionLog) flush() {
	done := make(chan struct{})
	select {
	case d.flushes <- done:
		<-done
	case <-d.gone:
	}
}
