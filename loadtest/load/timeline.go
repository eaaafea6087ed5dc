package load

import (
	"sync"
	"time"
)

// Point is what ended in one interval of a run, the warm-up included.
type Point struct {
	At            time.Duration // end of the interval, since the start of the run
	Count         int64         // calls that succeeded
	Failed        int64
	P50, P99, Max time.Duration // of those that succeeded; 0: none
}

// mostPoints bounds the length of a timeline; longer runs get longer intervals.
const mostPoints = 600

// timeline collects points while a run goes on. Its goroutine ends with finish.
type timeline struct {
	recorders []*recorder
	points    []Point
	start     time.Time
	stop      chan struct{}
	done      sync.WaitGroup
}

// interval is how long a point of a plan's timeline is.
func interval(plan Plan) time.Duration {
	total := plan.WarmUp + plan.Duration
	switch {
	case plan.Spike != nil: // recovery is as fine as this
		return max(total/mostPoints, 50*time.Millisecond)
	case total < 10*time.Second:
		return max(total/20, time.Millisecond)
	}
	return max(time.Second, total/mostPoints)
}

// newTimeline starts to take points. watch is called after each, from the timeline's goroutine.
func newTimeline(plan Plan, recorders []*recorder, progress func(float64), watch func()) *timeline {
	total, every := plan.WarmUp+plan.Duration, interval(plan)
	t := &timeline{recorders: recorders, start: time.Now(), stop: make(chan struct{})}
	t.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				at := time.Since(t.start)
				t.take(at)
				if progress != nil {
					progress(min(1, at.Seconds()/total.Seconds()))
				}
				watch()
			case <-t.stop:
				return
			}
		}
	})
	return t
}

func (t *timeline) take(at time.Duration) {
	sum := newCoarseHistogram()
	p := Point{At: at}
	for _, r := range t.recorders {
		p.Failed += r.takeInterval(sum)
	}
	p.Count = sum.TotalCount()
	if p.Count > 0 {
		p.P50, p.P99, p.Max = quantile(sum, 50), quantile(sum, 99), micros(sum.Max())
	}
	t.points = append(t.points, p)
}

// finish takes the last interval and ends the goroutine. points may then be read.
func (t *timeline) finish(at time.Duration) {
	close(t.stop)
	t.done.Wait()
	t.take(at)
}
