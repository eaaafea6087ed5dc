package text

import (
	"context"
	"fmt"

	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/embed/train/text/internal/corpus"
)

// cutoff is how many neighbours recall looks at.
const cutoff = 10

// devPairs are pairs of texts held out.
type devPairs struct {
	pairs      [][2]int32 // places in candidates
	candidates []int32    // texts, each once
	missed     int        // pairs that cannot be found: a text without tokens, or equal ones
}

func (k *contrast) prepareDev() (d devPairs, err error) {
	place := map[int32]int32{}
	at := func(text int32) int32 {
		i, ok := place[text]
		if !ok {
			i = int32(len(d.candidates))
			place[text] = i
			d.candidates = append(d.candidates, text)
		}
		return i
	}
	for i, p := range k.Dev {
		if err := k.checkPair("dev pair", i, p); err != nil {
			return d, err
		}
		a, b := k.c.Of[p.A], k.c.Of[p.B]
		if a == corpus.None || b == corpus.None || a == b {
			d.missed++
			continue
		}
		d.pairs = append(d.pairs, [2]int32{at(a), at(b)})
	}
	if len(k.Dev) > 0 && len(d.pairs) == 0 {
		return d, fmt.Errorf("%w: none of the %d dev pairs is of two different texts with tokens", ErrExamples, len(k.Dev))
	}
	for _, item := range k.DevItems {
		if int(item) >= len(k.Texts) {
			return d, fmt.Errorf("%w: dev item %d; there are %d texts", ErrExamples, item, len(k.Texts))
		}
		if text := k.c.Of[item]; text != corpus.None {
			at(text)
		}
	}
	return d, nil
}

// judge is the recall of the partner among the nearest candidates. Ties count against it;
// pairs that cannot be found count as missed.
func (k *contrast) judge(ctx context.Context, encode encoder, _ [][]float32) (float64, error) {
	vectors, err := encode(ctx, k.dev.candidates)
	if err != nil {
		return 0, err
	}
	n := len(k.dev.candidates)
	dim := len(vectors) / n
	row := func(i int32) []float32 { return vectors[int(i)*dim : (int(i)+1)*dim] }
	found := 0
	for _, p := range k.dev.pairs {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		query, want := row(p[0]), vek32.Dot(row(p[0]), row(p[1]))
		before := 0
		for i := range int32(n) {
			if i != p[0] && i != p[1] && vek32.Dot(query, row(i)) >= want {
				before++
			}
		}
		if before < cutoff {
			found++
		}
	}
	return float64(found) / float64(len(k.dev.pairs)+k.dev.missed), nil
}
