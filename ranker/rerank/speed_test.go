package rerank

import (
	"fmt"
	"testing"
	"time"
)

func busyPolicy() *Policy {
	return &Policy{
		Diversity: 0.3, Explore: Exploration{Temperature: 0.3}, Caps: []Cap{{By: Brand, Most: 4}, {By: Category, Most: 5, Within: 10}},
		Rules: []Rule{
			{Name: "out", Action: Exclude, HasItem: true, Item: 3}, {Name: "pin", Action: Pin, HasItem: true, Item: 9, Slot: 4},
			{Name: "share", Action: Reserve, Match: ofBrand(2), Share: 0.2}, {Name: "up", Action: Boost, Match: ofBrand(1), Factor: 2},
		},
		NewItems: NewItems{Share: 0.1, MaxAge: 24 * time.Hour, Method: Thompson}, Fatigue: Fatigue{Weight: 0.3, HalfLife: time.Hour},
	}
}

func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	s := newStand(300, 1)
	var e Engine
	var out List
	in := s.input(busyPolicy(), 10, 1)
	serve := func() {
		in.Seed++
		e.Rerank(in, &out)
		e.Release()
		if len(out.Slots) != 10 {
			t.Fatal(len(out.Slots))
		}
	}
	for range 50 {
		serve()
	}
	if got := testing.AllocsPerRun(200, serve); got != 0 {
		t.Errorf("%v allocations a list, want 0", got)
	}
}

func BenchmarkRerank(b *testing.B) {
	for _, size := range []struct{ candidates, limit int }{{500, 10}, {500, 500}, {10_000, 10}, {10_000, 10_000}} {
		s := newStand(size.candidates, 1)
		for _, c := range []struct {
			name   string
			policy *Policy
		}{
			{"nothing", &Policy{}}, {"diversity", &Policy{Diversity: 0.3}}, {"temperature", &Policy{Explore: Exploration{Temperature: 0.3}}},
			{"both", &Policy{Diversity: 0.3, Explore: Exploration{Temperature: 0.3}}}, {"all", busyPolicy()},
		} {
			b.Run(fmt.Sprintf("candidates=%d/limit=%d/%s", size.candidates, size.limit, c.name), func(b *testing.B) {
				var e Engine
				var out List
				in := s.input(c.policy, size.limit, 1)
				b.ReportAllocs()
				for b.Loop() {
					in.Seed++
					e.Rerank(in, &out)
					if len(out.Slots) < size.limit/2 {
						b.Fatal(len(out.Slots))
					}
				}
			})
		}
	}
}
