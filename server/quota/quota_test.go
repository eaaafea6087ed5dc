package quota

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func keeper(s Settings) (*Keeper, *clock) {
	c := &clock{time.Unix(1700000000, 0)}
	k := New(s)
	k.now, k.began = func() time.Time { return c.at }, c.at
	return k, c
}

var alpha = auth.Principal{Tenant: "alpha", Role: record.RoleFrontend, KeyID: "a1"}

// rate asks as fast as it can for some seconds and returns how many a second were let in.
func rate(k *Keeper, c *clock, p auth.Principal, cost Cost, seconds int) float64 {
	n := 0
	for range seconds * 1000 {
		c.at = c.at.Add(time.Millisecond)
		if k.Take(p, cost) == nil {
			n++
		}
	}
	return float64(n) / float64(seconds)
}

func TestRateIsWhatIsSetAndASecondsWorthCanComeAtOnce(t *testing.T) {
	for _, want := range []float64{0.5, 7, 100, 900} {
		k, c := keeper(Settings{Tenant: record.Quota{Requests: want}})
		n := 0
		for k.Take(alpha, Cost{Requests: 1}) == nil {
			n++
		}
		if over := float64(n) - want; over < 0 || over > 1 { // nanoseconds are rounded down
			t.Errorf("%v a second: %d at once", want, n)
		}
		if got := rate(k, c, alpha, Cost{Requests: 1}, 100); math.Abs(got-want) > 0.02*want+0.01 {
			t.Errorf("%v a second: %v were let in", want, got)
		}
	}
}

func TestWaitIsWhenTheNextIsTaken(t *testing.T) {
	k, c := keeper(Settings{Tenant: record.Quota{Requests: 10}})
	var over *Exceeded
	for over == nil {
		over = k.Take(alpha, Cost{Requests: 1})
	}
	if over.Subject != "tenant alpha" || over.Name != "requests" || over.Rate != 10 || over.Wait <= 0 || over.Wait > 100*time.Millisecond+1 {
		t.Errorf("%+v", over)
	}
	for _, part := range []string{"requests", "tenant alpha", "10 a second"} {
		if !strings.Contains(over.Error(), part) {
			t.Errorf("%q does not say %q", over, part)
		}
	}
	c.at = c.at.Add(over.Wait - 1)
	if k.Take(alpha, Cost{Requests: 1}) == nil {
		t.Error("taken before the wait is over")
	}
	c.at = c.at.Add(1)
	if over := k.Take(alpha, Cost{Requests: 1}); over != nil {
		t.Errorf("refused after the wait: %v", over)
	}
}

func TestLargeMessageIsTakenAndPaidForAfterwards(t *testing.T) {
	k, c := keeper(Settings{Tenant: record.Quota{Events: 100}})
	if over := k.Take(alpha, Cost{Requests: 1, Events: 1000}); over != nil {
		t.Fatalf("a batch larger than a second's worth: %v", over)
	}
	over := k.Take(alpha, Cost{Requests: 1, Events: 1})
	if over == nil || over.Name != "events" || over.Wait < 9*time.Second || over.Wait > 9*time.Second+1 {
		t.Errorf("after it: %+v", over)
	}
	if over := k.Take(alpha, Cost{Requests: 1}); over != nil {
		t.Errorf("a call without events: %v", over)
	}
	if got := rate(k, c, alpha, Cost{Requests: 1, Events: 1000}, 1000); math.Abs(got*1000-100) > 3 {
		t.Errorf("batches of 1,000 events come to %v events a second", got*1000)
	}
	// What is owed is bounded, however much one message takes.
	k, _ = keeper(Settings{Tenant: record.Quota{Bytes: 0.001}})
	k.Take(alpha, Cost{Bytes: math.MaxInt32})
	if over := k.Take(alpha, Cost{Bytes: 1}); over == nil || over.Wait > time.Hour {
		t.Errorf("%+v", over)
	}
}

func TestKeyIsBoundedWithinItsTenant(t *testing.T) {
	k, c := keeper(Settings{
		Tenant: record.Quota{Requests: 100}, Tenants: map[string]record.Quota{"big": {Requests: 500}},
		Key: record.Quota{Requests: 60}, Browser: record.Quota{Requests: 5, Events: 9},
	})
	own := alpha
	own.KeyID, own.Quota = "a2", record.Quota{Requests: 20}
	browser := auth.Principal{Tenant: "alpha", Role: record.RoleBrowser, KeyID: "a3"}
	big := auth.Principal{Tenant: "big", Role: record.RoleFrontend, KeyID: "b1", Quota: record.Quota{Requests: 1000}}
	open := auth.Principal{Tenant: "open", Role: record.RoleAdmin}
	for _, p := range []struct {
		who  auth.Principal
		want float64
	}{{alpha, 60}, {own, 20}, {browser, 5}, {big, 500}, {open, 100}} {
		c.at = c.at.Add(time.Hour) // all is paid
		if got := rate(k, c, p.who, Cost{Requests: 1}, 60); math.Abs(got-p.want) > 0.05*p.want {
			t.Errorf("%+v: %v a second, want %v", p.who, got, p.want)
		}
	}
	// Several keys together have what the tenant has.
	c.at = c.at.Add(time.Hour)
	let := 0
	for range 60_000 {
		c.at = c.at.Add(time.Millisecond)
		for _, id := range []string{"a1", "x", "y"} {
			p := alpha
			p.KeyID = id
			if k.Take(p, Cost{Requests: 1}) == nil {
				let++
			}
		}
	}
	if got := float64(let) / 60; math.Abs(got-100) > 3 {
		t.Errorf("three keys of a tenant have %v a second, want 100", got)
	}
	// Another tenant has not been touched by any of this.
	if over := k.Take(auth.Principal{Tenant: "gamma", KeyID: "g"}, Cost{Requests: 1}); over != nil {
		t.Errorf("a neighbour: %v", over)
	}
	refused := map[string]uint64{}
	k.Refused(func(tenant, quota string, n uint64) {
		if quota == "requests" {
			refused[tenant] = n
		}
	})
	if refused["alpha"] == 0 || refused["gamma"] != 0 {
		t.Errorf("refused: %v", refused)
	}
	if !k.CountsBytes(auth.Principal{Tenant: "t", Role: record.RoleAdmin, KeyID: "k", Quota: record.Quota{Bytes: 1}}) || k.CountsBytes(alpha) {
		t.Error("which callers' bytes are counted")
	}
}

func TestManyAtOnceDoNotTakeMoreThanThereIs(t *testing.T) {
	k, _ := keeper(Settings{Tenant: record.Quota{Requests: 1000}})
	var let atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if k.Take(alpha, Cost{Requests: 1}) == nil {
					let.Add(1)
				}
			}
		})
	}
	all.Wait()
	// Each of those at once may be the one past the last.
	if n := let.Load(); n < 1000 || n > 1008 {
		t.Errorf("%d of 1,000 were let in", n)
	}
}

func TestAskingAheadTakesNothingAndRefusesWhatIsPast(t *testing.T) {
	k, c := keeper(Settings{Tenant: record.Quota{Requests: 10, Events: 5}})
	for range 1000 {
		if over := k.Ahead(alpha, Cost{Requests: 1, Events: 1}); over != nil {
			t.Fatalf("asking takes: %v", over)
		}
	}
	for k.Take(alpha, Cost{Requests: 1}) == nil {
	}
	over := k.Ahead(alpha, Cost{Requests: 1})
	if over == nil || over.Name != "requests" || over.Subject != "tenant alpha" {
		t.Fatalf("past its quota: %+v", over)
	}
	if again := k.Ahead(alpha, Cost{Requests: 1}); again != over {
		t.Error("at once asked again, it makes another answer")
	}
	made := 0
	for range 3 {
		_ = over.Answer(func(e *Exceeded) error { made++; return e })
	}
	if made != 1 {
		t.Errorf("the answer for the wire is made %d times", made)
	}
	c.at = c.at.Add(over.Wait)
	if over := k.Ahead(alpha, Cost{Requests: 1}); over != nil {
		t.Errorf("after the wait: %v", over)
	}
	k.Take(alpha, Cost{Requests: 1, Events: 100})
	c.at = c.at.Add(time.Second)
	first := k.Ahead(alpha, Cost{Events: 1})
	c.at = c.at.Add(10 * time.Second)
	if second := k.Ahead(alpha, Cost{Events: 1}); first == nil || second == nil || first.Wait-second.Wait < 9*time.Second {
		t.Errorf("ten seconds later it says %+v, before %+v", second, first)
	}
}

func TestCallsOfAKeyUnderWayAreBounded(t *testing.T) {
	k, _ := keeper(Settings{KeyCalls: 2})
	first, over := k.Enter(alpha)
	_, second := k.Enter(alpha)
	if over != nil || second != nil {
		t.Fatal(over, second)
	}
	for _, ask := range []func() *Exceeded{func() *Exceeded { _, over := k.Enter(alpha); return over }, func() *Exceeded { return k.Full(alpha) }} {
		over := ask()
		if over == nil || over.Wait <= 0 {
			t.Fatalf("a third call: %+v", over)
		}
		for _, part := range []string{"key a1", "2 calls under way"} {
			if !strings.Contains(over.Error(), part) {
				t.Errorf("%q does not say %q", over, part)
			}
		}
	}
	other := alpha
	other.KeyID = "a2"
	if _, over := k.Enter(other); over != nil {
		t.Errorf("another key of the tenant: %v", over)
	}
	if _, over := k.Enter(auth.Principal{Tenant: "alpha"}); over != nil {
		t.Errorf("nobody's key: %v", over)
	}
	first.Leave()
	if over := k.Full(alpha); over != nil {
		t.Errorf("after one ended: %v", over)
	}
	if _, over := k.Enter(alpha); over != nil {
		t.Errorf("after one ended: %v", over)
	}
	k.Change(Settings{})
	if _, over := k.Enter(alpha); over != nil {
		t.Errorf("without a bound: %v", over)
	}
	n := uint64(0)
	k.Refused(func(_, quota string, refused uint64) {
		if quota == Calls {
			n += refused
		}
	})
	if n != 2 {
		t.Errorf("%d refusals are counted, want 2", n)
	}
}

// BenchmarkRefusal is a flood: what one more call past its quota costs.
func BenchmarkRefusal(b *testing.B) {
	k := New(Settings{Tenant: record.Quota{Requests: 0.001}})
	k.Take(alpha, Cost{Requests: 1})
	b.ReportAllocs()
	for b.Loop() {
		if over := k.Ahead(alpha, Cost{Requests: 1}); over == nil {
			b.Fatal("let in")
		}
	}
}

func BenchmarkTake(b *testing.B) {
	k := New(Settings{Tenant: record.Quota{Requests: 1e9, Events: 1e9, Bytes: 1e12}, Key: record.Quota{Requests: 1e9}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if over := k.Take(alpha, Cost{Requests: 1, Events: 1, Bytes: 100}); over != nil {
				b.Error(over)
				return
			}
		}
	})
}
