package histories_test

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/remote/histories"
)

// BenchmarkUsers makes the vectors of users with 50 events each, on 10,000 items with texts
// of 256 components, by two layers of 128 components, 1,024 users at a time: in process on
// one processor and on all, and by a worker on loopback that has all, with the table there.
func BenchmarkUsers(b *testing.B) {
	const all, dim, events, batch = 10_000, 256, 50, 1024
	made := pack(b, 1, func(c *causal.Config) {
		*c = causal.DefaultConfig(all, dim)
		c.Types, c.Gaps, c.Values = 3, 4, 3
	})
	rng := rand.New(rand.NewPCG(3, 3))
	texts := make([][]float32, all)
	for i := range texts {
		texts[i] = random(rng, dim)
	}
	users := make([][]learned.Event, batch)
	for u := range users {
		for e := range events {
			i := rng.IntN(all)
			users[u] = append(users[u], learned.Event{Item: id(i), Text: texts[i], Type: "view", Weight: 1, Time: int64(1_700_000_000_000_000 + e*1_000_000)})
		}
	}
	inGo := func(b *testing.B, processors int) func(out []float32) error {
		e, err := histories.InGo(processors)(made)
		if err != nil {
			b.Fatal(err)
		}
		return func(out []float32) error { _, err := e.Encode(b.Context(), users, out); return err }
	}
	e, err := learned.Open(made)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]float32, batch*e.Dim())
	for _, how := range []struct {
		name string
		make func(b *testing.B) func(out []float32) error
	}{
		{"one processor", func(b *testing.B) func([]float32) error { return inGo(b, 1) }},
		{"all processors", func(b *testing.B) func([]float32) error { return inGo(b, runtime.GOMAXPROCS(0)) }},
		{"worker", func(b *testing.B) func([]float32) error {
			s := open(b, dial(b, start(b, histories.Config{Dir: b.TempDir()}), keep), made)
			return func(out []float32) error { return s.Encode(users, out) }
		}},
	} {
		b.Run(how.name, func(b *testing.B) {
			encode := how.make(b)
			if err := encode(out); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := encode(out); err != nil {
					b.Fatal(err)
				}
			}
			if out[0] == 0 {
				b.Fatal("nothing was made")
			}
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "users/s")
		})
	}
}
