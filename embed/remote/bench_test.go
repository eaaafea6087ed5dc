package remote_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/remote"
)

// BenchmarkStatic is what the network adds to the static encoder on one machine, by texts
// a call; "all" is EncodeAll over 10,000 texts.
func BenchmarkStatic(b *testing.B) {
	c := dial(b, remote.Config{}, startWorker(b, table(b)))
	ctx := context.Background()
	for _, n := range []int{1, 64, 1024} {
		texts, out := catalog(n), make([]float32, n*c.Info().Dim)
		b.Run(fmt.Sprintf("call/texts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Encode(ctx, texts, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/text")
		})
	}
	texts := catalog(10_000)
	b.Run("all/texts=10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range c.EncodeAll(ctx, slices.Values(texts)) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != len(texts) {
				b.Fatalf("%d vectors of %d", n, len(texts))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(texts)), "ns/text")
	})
}
