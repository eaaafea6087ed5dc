package shop

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/embed"
)

// A plain twin says what each item does: idle, waiting, taken, refused.
func TestBacklogAgainstAPlainTwin(t *testing.T) {
	const items = 300
	rapid.Check(t, func(t *rapid.T) {
		b, state := newBacklog(items), map[uint32]string{}
		number := rapid.Uint32Range(0, items-1)
		taken := func() (list []uint32) {
			for n := range uint32(items) {
				if state[n] == "taken" {
					list = append(list, n)
				}
			}
			return list
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := number.Draw(t, "number")
				b.add(n, rapid.Bool().Draw(t, "soon"))
				state[n] = "waiting"
			},
			"drop": func(t *rapid.T) {
				n := number.Draw(t, "number")
				b.drop(n)
				delete(state, n)
			},
			"take": func(t *rapid.T) {
				limit := rapid.IntRange(1, 40).Draw(t, "limit")
				waiting := 0
				for _, s := range state {
					if s == "waiting" {
						waiting++
					}
				}
				got := b.take(limit)
				if len(got) != min(limit, waiting) {
					t.Fatalf("%d of %d that wait were taken, limit %d", len(got), waiting, limit)
				}
				for _, n := range got {
					if state[n] != "waiting" {
						t.Fatalf("item %d was taken and is %q", n, state[n])
					}
					state[n] = "taken"
				}
			},
			"finish": func(t *rapid.T) {
				n := number.Draw(t, "number")
				if b.finish(n) != (state[n] == "taken") {
					t.Fatalf("item %d is %q", n, state[n])
				}
				if state[n] == "taken" {
					delete(state, n)
				}
			},
			"refuse": func(t *rapid.T) {
				n := number.Draw(t, "number")
				b.refuse(n)
				if state[n] == "taken" {
					state[n] = "refused"
				}
			},
			"give back": func(*rapid.T) {
				list := taken()
				b.giveBack(list)
				for _, n := range list {
					state[n] = "waiting"
				}
			},
			"retry": func(*rapid.T) {
				b.retryRefused()
				for n, s := range state {
					if s == "refused" {
						state[n] = "waiting"
					}
				}
			},
			"": func(t *rapid.T) {
				var waiting, refused int64
				for _, s := range state {
					if s == "refused" {
						refused++
					} else {
						waiting++
					}
				}
				if w, r := b.len(); w != waiting || r != refused {
					t.Fatalf("%d wait and %d are refused, want %d and %d", w, r, waiting, refused)
				}
			},
		})
	})
}

func TestEveryItemOfABacklogHasItsTurn(t *testing.T) {
	b := newBacklog(1 << 12)
	for n := range uint32(1 << 12) {
		b.add(n, false)
	}
	seen := map[uint32]bool{}
	// The same fresh items come again and again: the others are taken all the same.
	for round := 0; len(seen) < 1<<12; round++ {
		if round > 1<<10 {
			t.Fatalf("%d items were taken in %d rounds", len(seen), round)
		}
		for n := range uint32(8) {
			b.add(n, true)
		}
		for _, n := range b.take(16) {
			seen[n] = true
			b.finish(n)
		}
	}
}

func TestPausesDoubleWithinTheirBoundsAndTheRateFades(t *testing.T) {
	e := newEncodingForTest(EncodingConfig{Pause: 100 * time.Millisecond, MaxPause: time.Second, Seed: 7})
	for failures, most := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 60: 1000} {
		for range 20 {
			if got := e.pause(failures); got < most*time.Millisecond/2 || got > most*time.Millisecond {
				t.Errorf("pause %v after %d failures, want half of %d ms to all of it", got, failures, most)
			}
		}
	}
	var r rate
	now := time.Unix(1000, 0)
	for range 600 {
		now = now.Add(100 * time.Millisecond)
		r.add(now, 50)
	}
	if got := r.at(now); got < 480 || got > 520 {
		t.Errorf("500 a second are counted as %v", got)
	}
	if got := r.at(now.Add(time.Minute)); got > 2 {
		t.Errorf("%v a second a minute later", got)
	}
	var tr trouble
	if !tr.set(errors.New("a"), now) || tr.set(errors.New("b"), now) || !tr.end() || tr.end() || !tr.set(errors.New("c"), now) {
		t.Error("the first failure in a row is told from the others")
	}
	var st EncodingStatus
	if tr.describe(&st); !st.Failing || st.Failures != 3 || st.LastError != "c" {
		t.Errorf("status %+v", st)
	}
}

func newEncodingForTest(c EncodingConfig) *slowEncoding {
	return newEncoding(Config{Encoder: nowhere{}, Encoding: c.withDefaults(), MaxItems: 64})
}

// BenchmarkBacklog measures an item's way through a long backlog.
func BenchmarkBacklog(b *testing.B) {
	const items = 1 << 20
	q := newBacklog(items)
	for n := range uint32(items) {
		q.add(n, false)
	}
	b.ReportAllocs()
	done := 0
	for b.Loop() {
		for _, n := range q.take(1024) {
			if !q.finish(n) {
				b.Fatal("an item that nobody changed has changed")
			}
			q.add(n, false)
			done++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/item")
}

func TestABacklogThatIsEmptyIsWaitedFor(t *testing.T) {
	b := newBacklog(64)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan bool)
	go func() { got <- b.awaitSome(ctx) }()
	b.add(3, true)
	if !<-got {
		t.Error("an item that came was not noticed")
	}
	b.take(1)
	go func() { got <- b.awaitSome(ctx) }()
	cancel()
	if <-got {
		t.Error("nothing waits")
	}
}

// nowhere is an encoder that is never asked.
type nowhere struct{}

func (nowhere) Info() embed.Info                                  { return embed.Info{Model: "nowhere", Dim: 4} }
func (nowhere) Encode(context.Context, []string, []float32) error { return embed.ErrUnavailable }
