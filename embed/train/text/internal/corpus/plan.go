package corpus

import (
	"cmp"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
)

// Plan is the padded lengths of a batch's chunks, the longest first. All chunks of a
// planner have the same number of rows.
type Plan []int

// holds reports whether a batch of plan q can be computed in p.
func (p Plan) holds(q Plan) bool {
	if len(p) < len(q) {
		return false
	}
	for i, tokens := range q {
		if p[i] < tokens {
			return false
		}
	}
	return true
}

func (p Plan) tokens() (sum int) {
	for _, tokens := range p {
		sum += tokens
	}
	return sum
}

// Planner says how batches are cut into chunks.
type Planner struct {
	corpus *Corpus
	Rows   int // of a chunk
	most   int // distinct texts of a batch at most
	plans  []Plan
}

// NewPlanner plans batches of at most most texts in chunks of at most rows.
func NewPlanner(c *Corpus, most, rows int) *Planner {
	return &Planner{corpus: c, Rows: min(most, rows), most: most}
}

// Worst is the plan that every batch fits.
func (p *Planner) Worst() Plan {
	chunks := (p.most + p.Rows - 1) / p.Rows
	return slices.Repeat(Plan{Padded(p.corpus.Longest, p.corpus.Longest)}, chunks)
}

// Natural is the plan of texts, sorted by length, that pads least.
func (p *Planner) Natural(sorted []int32) (plan Plan) {
	for i := 0; i < len(sorted); i += p.Rows {
		plan = append(plan, Padded(len(p.corpus.Texts[sorted[i]]), p.corpus.Longest))
	}
	return plan
}

// Survey picks the plans for batches, at most as many as programs, and the worst for
// those that fit none. The same batches give the same plans.
func (p *Planner) Survey(batches func(yield func(texts []int32) bool), programs int) {
	type entry struct {
		plan  Plan
		count int
	}
	var found []entry
	for texts := range batches {
		plan := p.Natural(p.corpus.ByLength(texts))
		i, ok := slices.BinarySearchFunc(found, plan, func(e entry, plan Plan) int { return slices.Compare(e.plan, plan) })
		if !ok {
			found = slices.Insert(found, i, entry{plan: plan})
		}
		found[i].count++
	}
	slices.SortStableFunc(found, func(a, b entry) int { return cmp.Compare(b.count, a.count) })
	p.plans = []Plan{p.Worst()}
	for _, e := range found[:min(len(found), programs)] {
		p.plans = append(p.plans, e.plan)
	}
}

// Shapes are the chunks' shapes of the plans that the survey picked.
func (p *Planner) Shapes() (all [][]network.Shape) {
	for _, plan := range p.plans {
		all = append(all, p.shapes(plan))
	}
	return all
}

func (p *Planner) shapes(plan Plan) (shapes []network.Shape) {
	for _, tokens := range plan {
		shapes = append(shapes, network.Shape{Rows: p.Rows, Tokens: tokens})
	}
	return shapes
}

// Chunks puts the texts of a batch, each once, into chunks, and says in which row of all
// chunks together each lies. Surveyed says whether to keep to the plans that the survey
// picked.
func (p *Planner) Chunks(texts []int32, surveyed bool) (chunks []network.Chunk, rows map[int32]int32) {
	sorted := p.corpus.ByLength(texts)
	plan := p.Natural(sorted)
	if surveyed {
		natural := plan
		plan = p.plans[0]
		for _, q := range p.plans[1:] {
			if q.holds(natural) && q.tokens() < plan.tokens() {
				plan = q
			}
		}
	}
	rows = make(map[int32]int32, len(texts))
	for i, text := range sorted {
		rows[text] = int32(i)
	}
	for _, shape := range p.shapes(plan) {
		n := min(len(sorted), p.Rows)
		chunks = append(chunks, p.corpus.Fill(shape, sorted[:n]))
		sorted = sorted[n:]
	}
	return chunks, rows
}
