package text

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/text/internal/corpus"
	"github.com/kindred-rec/kindred/embed/train/text/internal/infonce"
	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/transformer"
)

// Pair says that who wanted item A wanted item B.
type Pair struct {
	A, B   uint32
	Weight float32 // above 0
}

// Contrastive is the objective that the texts of a pair lie nearer to each other than to
// those of the other pairs of a batch.
type Contrastive struct {
	Texts []string // of items, by number
	// Pairs are read once, at most MaxPairs of them; more are an error. Pairs whose texts
	// are equal, or one of which has no token, teach nothing: they are left out and
	// counted in [Result.Skipped].
	Pairs    iter.Seq[Pair]
	MaxPairs int // they are kept in memory, 16 bytes each; at most 2^31-1

	// Popularity says how often each item occurs, so that popular ones are not pushed
	// away for being negatives often; nil corrects nothing. Less than 1 counts as 1.
	Popularity []float64

	Temperature float64 // cosines are divided by it, 0.001 to 10; .05 is usual
	Symmetric   bool    // B looks for A too

	// Hard is how many negatives each A gets besides those of its batch, 0 to 64.
	// Negatives makes the source of them before each epoch, from 1, with the vectors of
	// all items as they are then, [items, dim], zeros for items without a token; they
	// may not be kept. The source returns up to k items near an item. Those that
	// are known to belong to it are left out here.
	Hard      int
	Negatives func(ctx context.Context, epoch int, vectors []float32) (func(item uint32, k int) []uint32, error)

	// Dev are pairs held out: the figure of an epoch is how many of them have their B
	// among the ten nearest of A, A's own text left out (recall@10). Candidates are
	// DevItems and the items of Dev. Without Dev the last epoch is exported.
	Dev      []Pair
	DevItems []uint32
}

// contrast is a contrastive objective at work.
type contrast struct {
	Contrastive
	c       *corpus.Corpus
	options Options
	pairs   []pair
	known   []uint64  // texts that belong to each other, (a, b), sorted
	bias    []float32 // [texts]: minus the logarithm of how often one is expected in a batch
	skipped int
	dev     devPairs

	negatives []int32 // [items, Hard]: texts, or corpus.None
}

// pair is a pair of different texts.
type pair struct {
	a, b   int32
	item   uint32 // A
	weight float32
}

func key(a, b int32) uint64 { return uint64(a)<<32 | uint64(b) }

func (x Contrastive) prepare(t transformer.Tokenizer, o Options) (task, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	k := &contrast{Contrastive: x, c: corpus.Cut(x.Texts, t), options: o}
	n := 0
	for p := range x.Pairs {
		if n++; n > x.MaxPairs {
			return nil, fmt.Errorf("%w: more than MaxPairs, %d, pairs; raise it or sample them", ErrExamples, x.MaxPairs)
		}
		if err := k.checkPair("pair", n-1, p); err != nil {
			return nil, err
		}
		a, b := k.c.Of[p.A], k.c.Of[p.B]
		if a == corpus.None || b == corpus.None || a == b {
			k.skipped++
			continue
		}
		k.pairs = append(k.pairs, pair{a, b, p.A, p.Weight})
		k.known = append(k.known, key(a, b))
	}
	slices.Sort(k.known)
	k.known = slices.Compact(k.known)
	if least := 2; len(k.known) < least && (x.Hard == 0 || len(k.known) == 0) {
		return nil, fmt.Errorf("%w: %d different pairs of different texts with tokens, of %d pairs; want at least %d, since a pair's negatives are the others'",
			ErrExamples, len(k.known), n, least)
	}
	k.weigh()
	var err error
	k.dev, err = k.prepareDev()
	return k, err
}

func (x Contrastive) check() error {
	switch {
	case x.Pairs == nil:
		return fmt.Errorf("%w: Pairs is nil", ErrExamples)
	case x.MaxPairs < 1 || x.MaxPairs > math.MaxInt32:
		return fmt.Errorf("%w: MaxPairs is %d; want 1 to %d", ErrOptions, x.MaxPairs, math.MaxInt32)
	case !(x.Temperature >= 0.001 && x.Temperature <= 10):
		return fmt.Errorf("%w: Temperature is %v; want 0.001 to 10, such as 0.05", ErrOptions, x.Temperature)
	case x.Hard < 0 || x.Hard > 64:
		return fmt.Errorf("%w: Hard is %d; want 0 to 64", ErrOptions, x.Hard)
	case (x.Hard > 0) != (x.Negatives != nil):
		return fmt.Errorf("%w: Hard is %d and Negatives is set: %t; want both or none", ErrOptions, x.Hard, x.Negatives != nil)
	case x.Popularity != nil && len(x.Popularity) != len(x.Texts):
		return fmt.Errorf("%w: Popularity of %d items; want all %d, or nil", ErrExamples, len(x.Popularity), len(x.Texts))
	}
	for i, count := range x.Popularity {
		if !(count >= 0) || math.IsInf(count, 0) {
			return fmt.Errorf("%w: Popularity of item %d is %v; want a count", ErrExamples, i, count)
		}
	}
	return nil
}

func (x Contrastive) checkPair(kind string, i int, p Pair) error {
	if max(int(p.A), int(p.B)) >= len(x.Texts) {
		return fmt.Errorf("%w: %s %d is of items %d and %d; there are %d texts", ErrExamples, kind, i, p.A, p.B, len(x.Texts))
	}
	if !(p.Weight > 0) || math.IsInf(float64(p.Weight), 0) {
		return fmt.Errorf("%w: %s %d has the weight %v; want above 0", ErrExamples, kind, i, p.Weight)
	}
	return nil
}

// weigh computes the bias of each text.
func (k *contrast) weigh() {
	k.bias = make([]float32, len(k.c.Texts))
	if k.Popularity == nil {
		return
	}
	counts, total := make([]float64, len(k.c.Texts)), 0.0
	for item, text := range k.c.Of {
		if text != corpus.None {
			counts[text] += max(1, k.Popularity[item])
			total += max(1, k.Popularity[item])
		}
	}
	for text, count := range counts {
		k.bias[text] = float32(-math.Log(count / total * float64(k.options.Batch)))
	}
}

func (k *contrast) corpus() *corpus.Corpus       { return k.c }
func (k *contrast) head(int) []network.Parameter { return nil }
func (k *contrast) left() int                    { return k.skipped }
func (k *contrast) most() int                    { return k.options.Batch * (2 + k.Hard) }
func (k *contrast) judges() bool                 { return len(k.dev.pairs) > 0 }

func (k *contrast) start(context.Context, encoder) ([][]float32, error) { return nil, nil }
func (k *contrast) export(string, [][]float32) error                    { return nil }

func (k *contrast) loss() network.Loss {
	sides := 1
	if k.Symmetric {
		sides = 2
	}
	return infonce.Loss{Queries: sides * k.options.Batch, Candidates: (sides + k.Hard) * k.options.Batch, Temperature: k.Temperature}
}

// order shuffles the pairs anew for each epoch.
func (k *contrast) order(epoch int) [][]int {
	all := shuffled(k.options.Seed, epoch, len(k.pairs))
	return slices.Collect(slices.Chunk(all, k.options.Batch))
}

// texts are those of a batch, each once, in order of appearance.
func (k *contrast) texts(batch []int) (texts []int32) {
	seen := map[int32]bool{corpus.None: true}
	add := func(text int32) {
		if !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	for _, i := range batch {
		add(k.pairs[i].a)
		add(k.pairs[i].b)
	}
	for _, i := range batch {
		for _, text := range k.hardOf(k.pairs[i].item) {
			add(text)
		}
	}
	return texts
}

// inputs lays a batch out for the loss. The candidates are the Bs, then the hard
// negatives, then, if B looks for A, the As.
func (k *contrast) inputs(batch []int, rows map[int32]int32) []network.Input {
	l := k.loss().(infonce.Loss)
	size := k.options.Batch
	queries, candidates := nones(l.Queries), nones(l.Candidates)
	targets, weights := make([]int32, l.Queries), make([]float32, l.Queries)
	for at, i := range batch {
		p := k.pairs[i]
		queries[at], candidates[at], targets[at], weights[at] = p.a, p.b, int32(at), p.weight
		copy(candidates[size+at*k.Hard:size+(at+1)*k.Hard], k.hardOf(p.item))
		if k.Symmetric {
			back := l.Candidates - size + at
			queries[size+at], candidates[back], targets[size+at], weights[size+at] = p.b, p.a, int32(back), p.weight
		}
	}
	bias := make([]float32, l.Queries*l.Candidates)
	for q, query := range queries {
		row := bias[q*l.Candidates : (q+1)*l.Candidates]
		back := q >= size
		for j, candidate := range candidates {
			ofA := j >= l.Candidates-size && k.Symmetric
			hard := j >= size && !ofA
			switch {
			case query == corpus.None: // weighs nothing
			case j == int(targets[q]):
				row[j] = k.bias[candidate]
			case candidate == corpus.None || back != ofA || candidate == candidates[targets[q]] || candidate == query || k.belong(query, candidate, back):
				row[j] = infonce.Masked
			case !hard: // a hard one is there with certainty
				row[j] = k.bias[candidate]
			}
		}
	}
	shapes := l.Inputs()
	return []network.Input{{Shape: shapes[0], Flat: rowsOf(queries, rows)}, {Shape: shapes[1], Flat: rowsOf(candidates, rows)},
		{Shape: shapes[2], Flat: targets}, {Shape: shapes[3], Flat: bias}, {Shape: shapes[4], Flat: weights}}
}

// belong reports whether a pair joins the texts.
func (k *contrast) belong(query, candidate int32, back bool) bool {
	if back {
		query, candidate = candidate, query
	}
	_, found := slices.BinarySearch(k.known, key(query, candidate))
	return found
}

func nones(n int) []int32 { return slices.Repeat([]int32{corpus.None}, n) }

// rowsOf are the rows of texts; those of None hold some text that does not count.
func rowsOf(texts []int32, rows map[int32]int32) []int32 {
	out := make([]int32, len(texts))
	for i, text := range texts {
		out[i] = rows[text]
	}
	return out
}

func (k *contrast) hash(to hash.Hash) {
	fmt.Fprint(to, "contrastive", k.Temperature, k.Symmetric, k.Hard, k.Dev, k.DevItems)
	k.c.Hash(to)
	for _, p := range k.pairs {
		_ = binary.Write(to, binary.LittleEndian, []uint32{uint32(p.a), uint32(p.b), p.item, math.Float32bits(p.weight)})
	}
	_ = binary.Write(to, binary.LittleEndian, k.bias)
}
