package encodebench

import (
	"context"
	"math/rand/v2"

	"github.com/kindred-rec/kindred/embed/transformer"
)

// runShape measures batches of random token numbers of one length.
func runShape(ctx context.Context, o Options, enc *transformer.Encoder, batch, tokens int) (Line, error) {
	rng := rand.New(rand.NewPCG(1, uint64(batch)<<32|uint64(tokens)))
	ids, starts := make([]int32, batch*tokens), make([]int, batch+1)
	for i := range ids {
		ids[i] = int32(rng.IntN(enc.Config().Vocab))
	}
	for i := range starts {
		starts[i] = i * tokens
	}
	rows := make([]float32, batch*enc.Info().Dim)
	rate, err := timed(ctx, o.Seconds, func() error { return enc.EncodeTokens(ctx, ids, starts, rows) })
	return Line{Encoder: name(enc), Backend: string(enc.Backend()), Batch: batch, Tokens: tokens, TextsPerS: round(rate * float64(batch)),
		Gflops: round(rate * enc.Config().Flops(batch, tokens) / 1e9)}, err
}
