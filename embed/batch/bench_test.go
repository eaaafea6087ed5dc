package batch_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/static"
)

// BenchmarkStatic is what the batcher adds to an encoder that needs none: the static
// one alone ("direct") and behind a batcher, by texts a call.
func BenchmarkStatic(b *testing.B) {
	table, err := static.Default()
	if err != nil {
		b.Fatal(err)
	}
	batcher := start(b, table, batch.Config{})
	for _, n := range []int{1, 64, 1024} {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprintf("desk lamp no %d, black metal, for the office", i)
		}
		out := make([]float32, n*table.Info().Dim)
		for name, e := range map[string]embed.Encoder{"direct": table, "batched": batcher} {
			b.Run(fmt.Sprintf("%s/texts=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := e.Encode(context.Background(), texts, out); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/text")
			})
		}
	}
}
