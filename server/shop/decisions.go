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
	quit    chan struct{}
	once    sync.Once
	ended   sync.WaitGroup
	dropped atomic.Int64
}

// decisionBatch is how many decisions are written at once.
const decisionBatch = 256

func startDecisionLog(log Log, config Config) *decisionLog {
	d := &decisionLog{queue: make(chan record.Decision, config.DecisionQueue), quit: make(chan struct{})}
	d.ended.Add(1)
	go func() {
		defer d.ended.Done()
		d.run(log, config)
	}()
	return d
}

// run writes batches until it is told to quit, and then what waits.
func (d *decisionLog) run(log Log, config Config) {
	batch := make([]record.Decision, 0, decisionBatch)
	for quitting := false; ; {
		batch = batch[:0]
		if !quitting {
			select {
			case first := <-d.queue:
				batch = append(batch, first)
			case <-d.quit:
				quitting = true
			}
		}
		batch = d.gather(batch)
		if len(batch) == 0 {
			if quitting {
				return
			}
			continue
		}
		if err := log.PutDecisions(batch); err != nil {
			d.dropped.Add(int64(len(batch)))
			config.Log.Error("decisions not logged", "count", len(batch), "error", err)
		}
		clear(batch)
	}
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
	d.ended.Wait()
}
