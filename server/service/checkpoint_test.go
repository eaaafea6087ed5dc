package service_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// The counters are saved through the committer, and the committer waits for an applier that is behind. Neither may wait for
// the other for ever: with room for one group that would be at once.
func TestWritesGoOnWhileCountersAreSaved(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.CheckpointEvery, c.Store.FollowBuffer = 20, 1 })
	s.upsert(item("a", "Brass candle holder", "Home"))
	within, cancel := context.WithTimeout(ctx(t), 30*time.Second)
	defer cancel()
	const writers, batches, rows = 8, 40, 25
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for b := range batches {
				req := &kindredv1.WriteEventsRequest{}
				for i := range rows {
					req.Events = append(req.Events, view(fmt.Sprint("e", w, "-", b, "-", i), fmt.Sprint("u", w, i), "a"))
				}
				if _, err := s.WriteEvents(within, req); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	s.restart() // saves the counters, and loads them
	st := must(s.admin.GetTenant(within, &kindredv1.GetTenantRequest{})).Status
	if st.Events != writers*batches*rows {
		t.Errorf("%d events are counted after a restart, want %d", st.Events, writers*batches*rows)
	}
}
