package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Calls is what became of one kind of call while a fault lasted and until it was over.
type Calls struct {
	Count  int            `json:"count"`
	Errors map[string]int `json:"errors,omitempty"` // by gRPC code
	Tiers  map[string]int `json:"tiers,omitempty"`  // of Recommend
	MaxMS  float64        `json:"max_ms"`           // of calls that were answered
	// Example is the first error.
	Example string `json:"example,omitempty"`
	// Unsent calls were due while too many were under way at the client.
	Unsent int `json:"unsent,omitempty"`

	good time.Time // when the last call that was answered began
}

func newCalls() Calls { return Calls{Errors: map[string]int{}, Tiers: map[string]int{}} }

// unexcused lists the codes that a fault does not excuse.
func (c Calls) unexcused(excused ...codes.Code) (bad []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Errors)) {
		if !slices.ContainsFunc(excused, func(code codes.Code) bool { return codeName(code) == name }) {
			bad = append(bad, name)
		}
	}
	return bad
}

// codeName is a code as protocols write it: RESOURCE_EXHAUSTED.
func codeName(c codes.Code) string {
	if c == codes.OK {
		return "OK"
	}
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func (c Calls) String() string {
	text := fmt.Sprintf("%d calls", c.Count)
	for _, name := range slices.Sorted(maps.Keys(c.Tiers)) {
		text += fmt.Sprintf(", %d %s", c.Tiers[name], name)
	}
	if len(c.Errors) == 0 {
		text += ", no error"
	}
	for _, name := range slices.Sorted(maps.Keys(c.Errors)) {
		text += fmt.Sprintf(", %d %s", c.Errors[name], name)
	}
	return text + fmt.Sprintf(", slowest %.0f ms", c.MaxMS)
}

// Rates of the traffic a second: light, so that what fails fails by the fault.
const (
	recommendRate = 40
	writeRate     = 20
	underWay      = 256 // calls of a kind, at most
	callTimeout   = 5 * time.Second
)

// traffic asks and writes by the clock until it is stopped.
type traffic struct {
	asks   kindredv1.RecommendationServiceClient
	writes kindredv1.EventServiceClient
	ledger *ledger

	// still holds back events: what is acknowledged while a store is tried that is thrown away would be missing rightly.
	still atomic.Bool
	// quiet holds back all calls: of a store that has lost everything nothing can be recommended.
	quiet atomic.Bool

	mu        sync.Mutex
	recommend Calls
	write     Calls

	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newTraffic(ctx context.Context, conn *grpc.ClientConn, l *ledger) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{
		asks: kindredv1.NewRecommendationServiceClient(conn), writes: kindredv1.NewEventServiceClient(conn), ledger: l,
		recommend: newCalls(), write: newCalls(), cancel: cancel,
	}
	t.done.Go(func() { t.loop(ctx, recommendRate, &t.recommend, t.ask) })
	t.done.Go(func() { t.loop(ctx, writeRate, &t.write, t.put) })
	return t
}

// loop begins a call each time one is due, whatever became of those before.
func (t *traffic) loop(ctx context.Context, rate int, to *Calls, call func(ctx context.Context, n int) (tier string, err error)) {
	due := time.NewTicker(time.Second / time.Duration(rate))
	defer due.Stop()
	slots := make(chan struct{}, underWay)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		}
		if t.quiet.Load() || to == &t.write && t.still.Load() {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			t.mu.Lock()
			to.Unsent++
			t.mu.Unlock()
			continue
		}
		t.done.Go(func() {
			defer func() { <-slots }()
			// Calls under way outlive the end of the loop, so that none is cut off and counted as an error.
			one, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
			defer cancel()
			began := time.Now()
			tier, err := call(one, n)
			t.note(to, began, tier, err)
		})
	}
}

func (t *traffic) note(to *Calls, began time.Time, tier string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to.Count++
	if err != nil {
		to.Errors[codeName(status.Code(err))]++
		if to.Example == "" {
			to.Example = status.Convert(err).Message()
		}
		return
	}
	to.MaxMS = max(to.MaxMS, float64(time.Since(began).Microseconds())/1000)
	if began.After(to.good) {
		to.good = began
	}
	if tier != "" {
		to.Tiers[tier]++
	}
}

func (t *traffic) ask(ctx context.Context, n int) (string, error) {
	reply, err := t.asks.Recommend(ctx, &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: userID(n % users)}, Limit: 10})
	if err != nil {
		return "", err
	}
	if len(reply.Items) == 0 {
		return "", status.Error(codes.NotFound, "an empty page")
	}
	return load.TierName(reply.Tier), nil
}

func (t *traffic) put(ctx context.Context, _ int) (string, error) {
	number, events := t.ledger.batch(batchEvents)
	reply, err := t.writes.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: events})
	if err == nil {
		t.ledger.close(number, reply)
	}
	return "", err
}

// begin forgets what was counted so far.
func (t *traffic) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recommend, t.write = newCalls(), newCalls()
}

// counts are those since begin.
func (t *traffic) counts() (recommend, write Calls) {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := func(c Calls) Calls {
		c.Errors, c.Tiers = maps.Clone(c.Errors), maps.Clone(c.Tiers)
		return c
	}
	return copied(t.recommend), copied(t.write)
}

// longestRecovery bounds the wait for a service that has no fault any more.
const longestRecovery = 45 * time.Second

// recovered waits until calls of both kinds that began after a moment were answered.
func (t *traffic) recovered(ctx context.Context, since time.Time) (seconds float64, ok bool) {
	for end := time.Now().Add(longestRecovery); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		r, w := t.counts()
		if r.good.After(since) && w.good.After(since) {
			return time.Since(since).Seconds(), true
		}
	}
	return time.Since(since).Seconds(), false
}

// stop ends the traffic and waits for the calls under way.
func (t *traffic) stop() {
	t.cancel()
	t.done.Wait()
}
