package direct

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// attend projects the tokens and computes this member's share of the heads of all
// texts into context. It returns when all members have.
func (m *member) attend(c checkpoint.Config, l *layer, texts batch.Texts) {
	tokens := texts.Tokens()
	from, to := m.team.share(m.place, c.Heads)
	first, last, alone := l.queryKeyValue.Between(from, to, 3*c.HeadDim())
	if !alone { // a panel holds columns of several heads
		first, last = m.team.share(m.place, l.queryKeyValue.Count())
	}
	l.queryKeyValue.Multiply(m.shared.qkv, 3*c.Hidden, m.own.x, c.Hidden, tokens, first, last)
	if !alone {
		m.team.meet()
	}
	for text := range texts.Len() {
		for head := from; head < to; head++ {
			m.head(c, texts.Starts[text]-texts.Starts[0], len(texts.Text(text)), head)
		}
	}
	m.team.meet()
}

// scoreLanes divides the length of a row of scores, so that softmax is fast.
const scoreLanes = 16

// head computes one head of the text of so many tokens that begins at first.
func (m *member) head(c checkpoint.Config, first, tokens, head int) {
	d, stride := c.HeadDim(), 3*c.Hidden
	query := m.shared.qkv[first*stride+head*3*d:]
	key, value := query[d:], query[2*d:]
	m.keys.PackTransposed(key, tokens, d, stride)
	m.values.PackRows(value, tokens, d, stride)

	columns := (tokens + scoreLanes - 1) / scoreLanes * scoreLanes
	m.scores = grow(m.scores, tokens*columns)
	m.keys.Multiply(m.scores, columns, query, stride, tokens, 0, m.keys.Count())
	into := m.shared.context[first*c.Hidden+head*d:]
	var shares [maxInline]float32
	for from := 0; from < tokens; from += maxInline {
		rows := min(maxInline, tokens-from)
		for i := range rows {
			row := m.scores[(from+i)*columns:][:columns]
			for j := tokens; j < columns; j++ {
				row[j] = float32(math.Inf(-1))
			}
			shares[i] = 1 / kernel.Exp(row)
		}
		out := into[from*c.Hidden:]
		m.values.Multiply(out, c.Hidden, m.scores[from*columns:], columns, rows, 0, m.values.Count())
		for i := range rows {
			row := out[i*c.Hidden:][:d]
			for j := range row {
				row[j] *= shares[i]
			}
		}
	}
}

// maxInline is how many rows of a head go through softmax before they are multiplied.
const maxInline = 64
