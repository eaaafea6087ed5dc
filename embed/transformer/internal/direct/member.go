package direct

import (
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// member is one goroutine's part in a forward pass, and its memory.
type member struct {
	rank  int // among the workers
	team  *team
	place int // in the team
	// What the team's members write together is that of the first; the tokens' vectors
	// each has for itself, since computing them takes less time than meeting.
	own    activations
	shared *activations

	// Scratch of attention, for one head of one text.
	keys, values kernel.Panels
	scores       []float32 // [tokens, columns]
}

// activations are what lies between the steps, for all tokens of the texts.
type activations struct {
	x       []float32 // [tokens, hidden]: the tokens' vectors
	y       []float32 // [tokens, hidden]: what a block adds to them
	qkv     []float32 // [tokens, heads, 3, headDim]
	context []float32 // [tokens, hidden]: what attention gathered
	wide    []float32 // [tokens, feedForward]
}

func (a *activations) resize(c checkpoint.Config, tokens int) {
	a.y = grow(a.y, tokens*c.Hidden)
	a.qkv = grow(a.qkv, tokens*3*c.Hidden)
	a.context = grow(a.context, tokens*c.Hidden)
	a.wide = grow(a.wide, tokens*c.FeedForward)
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// run computes texts as a member of its team and writes their pooled vectors.
func (m *member) run(n *Network, texts batch.Texts, out []float32) {
	c := n.config
	tokens := texts.Tokens()
	m.shared = &m.own
	if m.team.size > 1 {
		m.shared = &n.members[0].own
	}
	m.own.x = grow(m.own.x, tokens*c.Hidden)
	if m.place == 0 {
		m.shared.resize(c, tokens)
	}
	m.team.meet()
	m.embed(n, texts)
	for i := range n.layers {
		l := &n.layers[i]
		m.attend(c, l, texts)
		m.multiply(&l.output, m.shared.y, c.Hidden, m.shared.context, c.Hidden, tokens)
		m.team.meet()
		m.addNorm(c, l.attentionNorm, tokens)
		m.feedForward(c, l, tokens)
		m.team.meet()
		m.addNorm(c, l.norm, tokens)
	}
	m.pool(n, texts, out)
}

// embed looks up the tokens.
func (m *member) embed(n *Network, texts batch.Texts) {
	h, token := n.config.Hidden, 0
	for i := range texts.Len() {
		for place, id := range texts.Text(i) {
			x := m.own.x[token*h:][:h]
			copy(x, n.words[int(id)*h:][:h])
			kernel.AddNorm(x, n.places[(n.config.FirstPosition+place)*h:][:h], n.norm.Scale, n.norm.Shift, n.config.Epsilon)
			token++
		}
	}
}

// multiply computes this member's share of a product's columns.
func (m *member) multiply(p *kernel.Panels, c []float32, ldc int, a []float32, lda, rows int) {
	from, to := m.team.share(m.place, p.Count())
	p.Multiply(c, ldc, a, lda, rows, from, to)
}

// addNorm closes a block.
func (m *member) addNorm(c checkpoint.Config, norm checkpoint.Norm, tokens int) {
	h := c.Hidden
	for i := range tokens {
		kernel.AddNorm(m.own.x[i*h:][:h], m.shared.y[i*h:][:h], norm.Scale, norm.Shift, c.Epsilon)
	}
}

// wideRows is how many tokens go through both matrices of a feed-forward block at a
// time when one goroutine does all: what lies between them then stays in the cache.
const wideRows = 96

// feedForward computes down(gelu(up(x))) into y.
func (m *member) feedForward(c checkpoint.Config, l *layer, tokens int) {
	a := m.shared
	if m.team.size == 1 {
		for first := 0; first < tokens; first += wideRows {
			rows := min(wideRows, tokens-first)
			x, y, wide := m.own.x[first*c.Hidden:], a.y[first*c.Hidden:], a.wide[:rows*c.FeedForward]
			l.up.Multiply(wide, c.FeedForward, x, c.Hidden, rows, 0, l.up.Count())
			kernel.GELU(wide)
			l.down.Multiply(y, c.Hidden, wide, c.FeedForward, rows, 0, l.down.Count())
		}
		return
	}
	from, to := m.team.share(m.place, l.up.Count())
	l.up.Multiply(a.wide, c.FeedForward, m.own.x, c.Hidden, tokens, from, to)
	first, last := l.up.Columns(from, to)
	for i := range tokens {
		kernel.GELU(a.wide[i*c.FeedForward+first : i*c.FeedForward+last])
	}
	m.team.meet()
	m.multiply(&l.down, a.y, c.Hidden, a.wide, c.FeedForward, tokens)
}
