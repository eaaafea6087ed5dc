package transformer

import (
	"context"

	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
	"github.com/kindred-rec/kindred/embed/transformer/internal/direct"
)

// engine computes the pooled vectors of token numbers. It is safe for concurrent use.
type engine interface {
	// encode writes the pooled vectors of texts to out, [texts, dim], of any length.
	// Callers keep texts of like length together, which spares some engines padding.
	encode(ctx context.Context, texts batch.Texts, out []float32) error

	// batch is how many texts of so many tokens are best computed in one call.
	batch(tokens int) int

	// warmUp makes ready for texts of up to so many tokens.
	warmUp(ctx context.Context, tokens int) error

	// compiled is how many shapes the engine has made ready for.
	compiled() int

	close() error
}

// goEngine is the forward pass in Go, which takes texts as they are.
type goEngine struct{ network *direct.Network }

func (e goEngine) encode(ctx context.Context, texts batch.Texts, out []float32) error {
	return e.network.Encode(ctx, texts, out)
}

// goBatchTokens is how many tokens go into one call: it bounds how long a short call
// waits for a long one.
const goBatchTokens = 1 << 13

func (e goEngine) batch(tokens int) int { return max(1, goBatchTokens/tokens) }

func (e goEngine) warmUp(context.Context, int) error { return nil }

func (e goEngine) compiled() int { return 0 }

func (e goEngine) close() error { return nil }
