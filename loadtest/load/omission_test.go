package load

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A server answers 100 ms late for one second in ten, so that a tenth of what people ask for takes 100 ms, and p99 must say
// so. The closed loop beside it makes ten calls in that second and many hundreds in each of the others: its p99 says that all
// is well.
func TestNoCoordinatedOmission(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	const slow, every, delay = time.Second, 10 * time.Second, 100 * time.Millisecond
	start := time.Now()
	f := &fake{before: func(ctx context.Context) error {
		if time.Since(start)%every >= every-2*slow && time.Since(start)%every < every-slow {
			time.Sleep(delay)
		}
		return nil
	}}
	client := f.serve(t, Target{})

	closed := newHistogram()
	var wait sync.WaitGroup
	wait.Go(func() {
		c := newCaller(client.conns[0], someUsers().Users, nil, 10, "")
		for began := time.Now(); time.Since(start) < every; began = time.Now() {
			if err := c.call(t.Context(), arrival{kind: KindRecommend}); err != nil {
				t.Error(err)
				return
			}
			record(closed, time.Since(began))
			time.Sleep(time.Millisecond) // what the client does between its calls
		}
	})
	step, err := client.Constant(t.Context(), onlyRecommend(100, every), someUsers(), nil)
	wait.Wait()
	if err != nil {
		t.Fatal(err)
	}
	closedP99 := millis(quantile(closed, 99))
	t.Logf("open loop: p90 %.1f ms, p99 %.1f ms of %d calls; closed loop: p99 %.1f ms of %d calls",
		step.P90, step.P99, step.Histogram.TotalCount(), closedP99, closed.TotalCount())
	if step.P99 < millis(delay) {
		t.Errorf("open loop: p99 %.1f ms hides that a tenth of the calls took %v", step.P99, delay)
	}
	if closedP99 >= millis(delay) {
		t.Errorf("closed loop: p99 %.1f ms; the comparison needs one that hides the delay of %v", closedP99, delay)
	}
}
