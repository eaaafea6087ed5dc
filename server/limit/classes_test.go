package limit

import (
	"strings"
	"testing"
	"time"
)

func TestClassesOfTenantsDoNotTakeFromEachOther(t *testing.T) {
	c := NewClasses(map[string]Config{"write": {Most: 2}, "scan": {Most: 1}})
	held := 0
	for range 5 {
		if _, ok := c.Acquire("alpha", "write"); ok {
			held++
		}
	}
	if held != 2 {
		t.Errorf("%d calls at once, want 2", held)
	}
	for _, other := range [][2]string{{"alpha", "scan"}, {"beta", "write"}, {"alpha", "unbounded"}} {
		if _, ok := c.Acquire(other[0], other[1]); !ok {
			t.Errorf("%v is turned away for what alpha writes", other)
		}
	}
	refused := map[string]uint64{}
	c.Each(func(tenant, class string, l *Limiter, n uint64) {
		refused[tenant+" "+class] = n
		if tenant == "alpha" && class == "write" {
			l.Release(time.Millisecond)
		}
	})
	if refused["alpha write"] != 3 || refused["beta write"] != 0 {
		t.Errorf("turned away: %v", refused)
	}
	if _, ok := c.Acquire("alpha", "write"); !ok {
		t.Error("turned away although one has ended")
	}
}

func TestAClassThatIsSlowNarrowsAloneAndWidensAgain(t *testing.T) {
	c := NewClasses(map[string]Config{"rank": {Most: 64, Target: time.Millisecond}, "write": {Most: 64, Target: time.Millisecond}})
	round := func(class string, took time.Duration) int {
		var l *Limiter
		for range 4 {
			n := 0
			for {
				got, ok := c.Acquire("alpha", class)
				if l = got; !ok {
					break
				}
				n++
			}
			for range n {
				l.Release(took)
			}
		}
		return l.Now()
	}
	for range 200 {
		round("rank", time.Second)
	}
	if n := round("rank", time.Second); n != 4 {
		t.Errorf("after slow calls %d are let in, want a sixteenth", n)
	}
	if n := round("write", 0); n != 64 {
		t.Errorf("the other class has %d", n)
	}
	for range 2000 {
		round("rank", 0)
	}
	if n := round("rank", 0); n != 64 {
		t.Errorf("after fast calls %d are let in, want all", n)
	}
}

func TestClassesAreReadAndMistakesNamed(t *testing.T) {
	known := []string{"write", "scan"}
	got, err := Parse([]string{"write=256:500ms", "scan=0"}, known)
	if err != nil || len(got) != 1 || got["write"] != (Config{Most: 256, Target: 500 * time.Millisecond}) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"write": "CLASS=MOST", "read=5": "each of write, scan once", "write=-1": `"-1" is no number`, "write=x": `"x" is no number`,
		"write=5:0s": `"0s" is no time`, "write=5:fast": `"fast" is no time`, "write=2000000": "1 to 1000000",
	} {
		if _, err := Parse([]string{text}, known); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Parse([]string{"scan=1", "scan=2"}, known); err == nil {
		t.Error("a class is taken twice")
	}
}
