package shop

import (
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
)

// passed is what a person with these events has passed over.
func passed(limit int, merged bool, touches []touch, showings []showing) []uint32 {
	p := person{touches: touches, showings: showings, merged: merged}
	p.findPassed(limit)
	var items []uint32
	for _, x := range p.passed {
		items = append(items, x.Item)
	}
	return items
}

func TestWhatIsActedOnWasNotPassedOver(t *testing.T) {
	shown := []showing{{seq: 1, item: 7}, {seq: 2, item: 8}, {seq: 5, item: 7}, {seq: 6, item: 9}}
	for _, c := range []struct {
		why     string
		touches []touch
		limit   int
		merged  bool
		want    []uint32
	}{
		{"nothing was done", nil, 9, false, []uint32{7, 8, 7, 9}},
		{"an act ends what came before it and nothing after it", []touch{{seq: 3, item: 7}}, 9, false, []uint32{8, 7, 9}},
		{"an act on another item ends nothing", []touch{{seq: 8, item: 1}}, 9, false, []uint32{7, 8, 7, 9}},
		{"of a full history, what came before it is not judged", []touch{{seq: 4, item: 1}, {seq: 7, item: 9}}, 2, false, []uint32{7}},
		{"two persons' acts are in order of time", []touch{{seq: 9, item: 9}, {seq: 3, item: 7}}, 9, true, []uint32{8, 7}},
	} {
		if got := passed(c.limit, c.merged, c.touches, shown); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

func TestAProfileKeepsItsLastImpressionsOnce(t *testing.T) {
	p := profile{loaded: true}
	for i := range uint32(keptShowings + 50) {
		p.appendShowing(showing{seq: uint64(i + 1), item: i})
		p.appendShowing(showing{seq: uint64(i + 1), item: i}) // delivered again
	}
	if len(p.showings) != keptShowings || p.showings[0].item != 50 || p.showings[keptShowings-1].item != keptShowings+49 {
		t.Errorf("%d impressions, from %v", len(p.showings), p.showings[0])
	}
	cold := profile{}
	cold.appendShowing(showing{seq: 1})
	if len(cold.showings) != 0 {
		t.Error("a profile that is not loaded took an impression, and would not look for those before it")
	}
}

func TestImpressionsDoNotBringProfilesIntoMemory(t *testing.T) {
	c := newProfiles(1<<20, 8)
	if n, bytes := c.held(); c.peek(3) != nil || n != 0 || bytes != 0 {
		t.Fatal("peek made a profile")
	}
	if p := c.get(3); c.peek(3) != p {
		t.Error("peek does not find what get made")
	}
}

// TestProfilesAreBoundedByWhatTheyTake: many small ones or few large ones, and whoever was
// asked for last stays.
func TestProfilesAreBoundedByWhatTheyTake(t *testing.T) {
	const bound = 1 << 20
	load := func(touches int, taste bool) (kept int) {
		c := newProfiles(bound, 256)
		for number := range uint64(20_000) {
			p := c.get(number)
			p.mu.Lock()
			p.loaded = true
			p.mu.Unlock()
			for i := range touches {
				p.append(touch{seq: uint64(i + 1), item: uint32(i)}, 256)
			}
			if taste {
				p.give(&taste0) // of its one event
			}
			if n, bytes := c.held(); bytes > bound || c.peek(number) != p {
				t.Fatalf("%d profiles take %d bytes of %d; the last is there: %v", n, bytes, bound, c.peek(number) == p)
			}
		}
		kept, bytes := c.held()
		if bytes < bound*3/4 {
			t.Errorf("%d profiles take %d bytes: room for more is not used", kept, bytes)
		}
		return kept
	}
	small, large, served := load(1, false), load(256, false), load(1, true)
	if small < 10*large || small < 5*served {
		t.Errorf("%d small profiles are kept, %d large ones, %d with lists", small, large, served)
	}
}

var taste0 = taste{seq: 1}

func TestWhatIsDroppedTakesNothing(t *testing.T) {
	c := newProfiles(1<<20, 8)
	p := c.get(7)
	p.loaded = true
	c.drop(7)
	p.append(touch{seq: 1}, 256) // by whoever still has it
	if n, bytes := c.held(); n != 0 || bytes != 0 {
		t.Errorf("%d profiles, %d bytes", n, bytes)
	}
}

// BenchmarkFindPassed is a full profile that acted on other items than it was shown.
func BenchmarkFindPassed(b *testing.B) {
	p := person{}
	for i := range uint32(keptShowings) {
		p.showings = append(p.showings, showing{seq: uint64(i + 1), item: i})
	}
	for i := range uint32(256) {
		p.touches = append(p.touches, touch{seq: uint64(1000 + i), item: 5000 + 7*i})
	}
	for b.Loop() {
		p.passed = p.passed[:0]
		p.findPassed(1000)
		if len(p.passed) != keptShowings || p.passed[0] != (ranker.Showing{}) {
			b.Fatal(len(p.passed))
		}
	}
}
