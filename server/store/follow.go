package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/kindred-rec/kindred/server/record"
)

// replayChunk is how many entries a replay hands over at once.
const replayChunk = 512

// follower is one consumer of a tenant's log.
type follower struct {
	tenant *Tenant
	fn     func([]record.Entry)
	groups chan []record.Entry
	quit   chan struct{} // closed by stop
	once   sync.Once
	done   chan struct{} // closed when the goroutine has ended
}

// Follow feeds the log after a place to fn: first what is there, as [Tenant.ScanLog]
// has it, then each group of commits as soon as it is durable. Entries come in
// order, each once, without a gap; what comes live names its persons as it was
// written. fn is called by one goroutine of the follower's own and may keep the
// slice.
//
// A follower that is slow holds up no one until it is FollowBuffer groups behind;
// then the committer waits for it, and writers are refused when the queue is
// full. It never loses an entry. While it still replays it holds up nobody. A row
// of the log that cannot be read is left out and reported to the Logger. So fn must
// not write to the store, checkpoints included, nor wait for one who does: the
// committer may be waiting for it.
//
// stop ends the follower and waits until fn has returned; it must not be called
// within fn, nor after Close, which ends all followers.
func (t *Tenant) Follow(after uint64, fn func([]record.Entry)) (stop func(), err error) {
	f := &follower{
		tenant: t, fn: fn,
		groups: make(chan []record.Entry, t.store.options.FollowBuffer),
		quit:   make(chan struct{}), done: make(chan struct{}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, fmt.Errorf("store: %w", record.ErrClosed)
	}
	t.followers[f] = false
	go f.run(after)
	return f.stop, nil
}

func (f *follower) run(at uint64) {
	defer close(f.done)
	defer f.leave()
	// Each replay leaves less behind than the one before; the last one is short
	// and runs while live groups wait in the buffer.
	for range 3 {
		until := f.tenant.durable.Load()
		if at = f.replay(at, until); f.stopped() {
			return
		}
		if f.tenant.durable.Load() == until {
			break
		}
	}
	until, ok := f.tenant.join(f)
	if !ok {
		return
	}
	if at = f.replay(at, until); f.stopped() {
		return
	}
	for {
		select {
		case entries := <-f.groups:
			// The replay may have met a group that was durable and not yet offered.
			for len(entries) > 0 && entries[0].Seq <= at {
				entries = entries[1:]
			}
			if len(entries) > 0 {
				at = entries[len(entries)-1].Seq
				f.fn(entries)
			}
		case <-f.quit:
			return
		}
	}
}

// replay hands over the entries after one place up to another.
func (f *follower) replay(at, until uint64) uint64 {
	var chunk []record.Entry
	flush := func() {
		if len(chunk) > 0 {
			f.fn(chunk)
			chunk = nil
		}
	}
	for at < until && !f.stopped() {
		last, err := f.tenant.scanLog(at, until, func(e record.Entry) error {
			if chunk == nil {
				chunk = make([]record.Entry, 0, replayChunk)
			}
			if chunk = append(chunk, e); len(chunk) == replayChunk {
				flush()
				if f.stopped() {
					return errStop
				}
			}
			return nil
		})
		flush()
		if err == nil {
			break
		}
		f.tenant.store.options.Logger.Error("store: following the log", "tenant", f.tenant.Settings().Name, "at", last, "err", err)
		if !errors.Is(err, record.ErrCorrupt) || last == at {
			f.tenant.store.options.Logger.Error("store: follower ends", "tenant", f.tenant.Settings().Name)
			f.once.Do(func() { close(f.quit) })
		}
		at = last
	}
	return max(at, until)
}

func (f *follower) stopped() bool {
	select {
	case <-f.quit:
		return true
	default:
		return false
	}
}

func (f *follower) stop() {
	f.once.Do(func() { close(f.quit) })
	<-f.done
}

// join makes a follower get live groups and returns the place after which they
// begin.
func (t *Tenant) join(f *follower) (after uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.followers[f]; !ok || t.ended {
		return 0, false
	}
	t.followers[f] = true
	return t.delivered, true
}

func (f *follower) leave() {
	f.tenant.mu.Lock()
	defer f.tenant.mu.Unlock()
	delete(f.tenant.followers, f)
}

// followed reports whether entries are worth keeping for followers.
func (t *Tenant) followed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, joined := range t.followers {
		if joined {
			return true
		}
	}
	return false
}

// deliver offers a durable group to the followers. The committer calls it after
// it has answered the writers.
func (t *Tenant) deliver(p *plan) {
	t.mu.Lock()
	before := t.delivered
	t.delivered = t.durable.Load()
	after := t.delivered
	var joined []*follower
	for f, ok := range t.followers {
		if ok {
			joined = append(joined, f)
		}
	}
	t.mu.Unlock()
	if len(joined) == 0 || before == after {
		return
	}
	entries := p.entries
	if !p.collect {
		// A follower joined while the group was written.
		if _, err := t.scanLog(before, after, func(e record.Entry) error {
			entries = append(entries, e)
			return nil
		}); err != nil {
			t.store.options.Logger.Error("store: following the log", "tenant", t.Settings().Name, "err", err)
		}
	}
	for i, f := range joined {
		mine := entries
		if i > 0 {
			mine = slices.Clone(entries)
		}
		select {
		case f.groups <- mine:
		case <-f.quit:
		}
	}
}

// endFollowers stops all followers for good.
func (t *Tenant) endFollowers() {
	t.mu.Lock()
	t.ended = true
	all := slices.Collect(maps.Keys(t.followers))
	t.mu.Unlock()
	for _, f := range all {
		f.stop()
	}
}
