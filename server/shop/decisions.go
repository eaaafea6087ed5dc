package shop

import (
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/server/record"
)

// decisionLog writes decisions behind the replies. A full queue drops, counts, and
// says so: a reply never waits for it.
type decisionLog struct {
	queue   chan record.Decision
	flushes chan chan struct{} // each closed when all that waited before is written
	quit    chan struct{}
	gone    chan struct{} // closed when the writer has ended
	once    sync.Once
	batch   []record.Decision // the writer's memory
	dropped atomic.Int64
}

// decisionBatch is how many decisions are written at once.
const decisionBatch = 256

func startDecisionLog(log Log, config Config) *decisionLog {
	d := &decisionLog{
		queue: make(chan record.Decision, config.DecisionQueue), flushes: make(chan chan struct{}),
		quit: make(chan struct{}), gone: make(chan struct{}),
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

// write writes one decision and those that wait behind it, up to a batch.
func (d *decisionLog) write(log Log, config Config, first record.Decision) {
	d.batch = d.gather(append(d.batch[:0], first))
	if err := log.PutDecisions(d.batch); err != nil {
		d.dropped.Add(int64(len(d.batch)))
		config.Log.Error("decisions not logged", "count", len(d.batch), "error", err)
	}
	clear(d.batch)
}

// gather adds what waits already, up to a batch.
func (d *decisionLog) gather(batch []record.Decision) []record.Decision {
	for len(batch) < decisionBatch {
		select {
		case next := <-d.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// put hands a decision over and reports whether it will be written.
func (d *decisionLog) put(decision record.Decision) bool {
	select {
	case d.queue <- decision:
		return true
	default:
		d.dropped.Add(1)
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
