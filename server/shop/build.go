package shop

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/index"
)

// build gives a space that does not serve yet an index of its vectors.
func (s *Shop) build(ctx context.Context, g *space, engine Engine, workers int) error {
	idx, err := s.newIndex(engine, g.dim())
	if err != nil {
		return err
	}
	if _, err := s.align(ctx, engine, idx, g, workers); err != nil {
		return err
	}
	g.use(engine, idx, s.effort(engine))
	return nil
}

// effort is what searches begin with.
func (s *Shop) effort(engine Engine) int {
	if engine == HNSW || engine == Coder {
		return s.config.Index.Effort
	}
	return 0
}

// alignChunk is how many item numbers a worker takes at a time.
const alignChunk = 256

// align makes an index hold exactly the vectors of a space, from several workers:
// it builds an empty one and repairs a loaded one. What changes in the vectors meanwhile
// may be met or missed.
func (s *Shop) align(ctx context.Context, engine Engine, idx index.Index, g *space, workers int) (restoration, error) {
	p := s.startProgress(engine, &g.encoded)
	defer p.end()
	var added, changed, removed atomic.Int64
	var next atomic.Uint32
	limit := g.vectors.limit()
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			a := aligner{index: idx, want: g.vectors, progress: p, found: idx.Len() > 0}
			for ctx.Err() == nil {
				from := next.Add(alignChunk) - alignChunk
				if from >= limit {
					break
				}
				if err := a.run(ctx, from, from+alignChunk); err != nil {
					return err
				}
			}
			added.Add(a.added)
			changed.Add(a.changed)
			removed.Add(a.removed)
			return ctx.Err()
		})
	}
	err := group.Wait()
	if err != nil {
		err = fmt.Errorf("building the index: %w", err)
	}
	return restoration{added: added.Load(), changed: changed.Load(), removed: removed.Load()}, err
}

// aligner is one worker of align.
type aligner struct {
	index                   index.Index
	want                    *vectors
	progress                *progress
	found                   bool // the index was not empty
	have                    []float32
	added, changed, removed int64
}

func (a *aligner) run(ctx context.Context, from, until uint32) error {
	for id := from; id < until && ctx.Err() == nil; id++ {
		v := a.want.Vector(id)
		present := false
		if a.found {
			a.have, present = a.index.Vector(id, a.have[:0])
		}
		if v == nil && !present {
			continue
		}
		if err := a.one(id, v, present); err != nil {
			return fmt.Errorf("item number %d: %w", id, err)
		}
		if v != nil {
			a.progress.done.Add(1)
		}
	}
	return nil
}

func (a *aligner) one(id uint32, v []float32, present bool) error {
	switch {
	case v == nil:
		a.removed++
	case !present:
		a.added++
	case slices.Equal(a.have, v):
		return nil
	default:
		a.changed++
	}
	return place(a.index, id, v)
}

// progress says how far a build is.
type progress struct {
	shop   *Shop
	engine Engine
	total  *atomic.Int64 // vectors, which may become more meanwhile
	begin  time.Time
	done   atomic.Int64

	stop    chan struct{}
	talking sync.WaitGroup
}

// progressEvery is the time between log lines of a long build.
const progressEvery = 2 * time.Second

// startProgress shows a build in the status and, every two seconds, in the log, until
// end is called. One build runs at a time.
func (s *Shop) startProgress(engine Engine, total *atomic.Int64) *progress {
	p := &progress{shop: s, engine: engine, total: total, begin: time.Now(), stop: make(chan struct{})}
	s.building.Store(p)
	p.talking.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.say("building the index")
			}
		}
	})
	return p
}

func (p *progress) say(what string) {
	done, took := p.done.Load(), time.Since(p.begin).Seconds()
	p.shop.config.Log.Info(what, "tenant", p.shop.tenant, "engine", string(p.engine), "items", done, "of", p.total.Load(),
		"seconds", math.Round(took*10)/10, "items_per_second", int(float64(done)/took))
}

func (p *progress) end() {
	close(p.stop)
	p.talking.Wait()
	p.shop.building.Store(nil)
	if time.Since(p.begin) > progressEvery/2 {
		p.say("index built")
	}
}

// share is how much is done, 0 to 1.
func (p *progress) share() float64 {
	total := p.total.Load()
	if total == 0 {
		return 1
	}
	return min(1, float64(p.done.Load())/float64(total))
}
