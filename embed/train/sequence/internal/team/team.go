// Package team runs the parts of one step of a computation on several goroutines. A part
// is given by its number and may run on any of them, in any order: what a part computes
// must not depend on which of the others are done. Then the result does not depend on
// how many goroutines there are.
package team

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Team is a number of goroutines that wait for work. Its methods are for one goroutine at
// a time. Close ends it.
type Team struct {
	size int
	next atomic.Int64 // the next part that nobody has taken
	jobs []chan job   // of the members but the caller
	done sync.WaitGroup
	quit sync.WaitGroup

	failed   atomic.Bool
	mu       sync.Mutex
	panicked any
}

type job struct {
	parts int
	run   func(member, part int)
}

// New starts a team of size members, at least 1. The caller of [Team.Do] is one of them.
func New(size int) *Team {
	t := &Team{size: size}
	for member := 1; member < size; member++ {
		jobs := make(chan job)
		t.jobs = append(t.jobs, jobs)
		t.quit.Go(func() {
			for j := range jobs {
				t.work(member, j)
				t.done.Done()
			}
		})
	}
	return t
}

// Size is the number of members. Members have the numbers below it.
func (t *Team) Size() int { return t.size }

// Close ends the team's goroutines and waits for them.
func (t *Team) Close() {
	for _, jobs := range t.jobs {
		close(jobs)
	}
	t.quit.Wait()
}

// Do runs parts 0 to parts-1 and returns when all are done. Run gets the number of the
// member that it runs on, for memory of its own. A panic of a part is raised again here,
// once the other members have stopped.
func (t *Team) Do(parts int, run func(member, part int)) {
	if parts == 0 {
		return
	}
	t.next.Store(0)
	called := min(len(t.jobs), parts-1)
	t.done.Add(called)
	j := job{parts, run}
	for _, jobs := range t.jobs[:called] {
		jobs <- j
	}
	t.work(0, j)
	t.done.Wait()
	if t.failed.Swap(false) {
		panic(fmt.Sprint(t.panicked))
	}
}

func (t *Team) work(member int, j job) {
	defer func() {
		if p := recover(); p != nil {
			t.mu.Lock()
			t.panicked = p
			t.mu.Unlock()
			t.failed.Store(true)
		}
	}()
	for !t.failed.Load() {
		part := int(t.next.Add(1)) - 1
		if part >= j.parts {
			return
		}
		j.run(member, part)
	}
}
