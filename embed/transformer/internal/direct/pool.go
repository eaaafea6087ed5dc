package direct

import (
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// pool writes the vectors of this member's share of the texts.
func (m *member) pool(n *Network, texts batch.Texts, out []float32) {
	h := n.config.Hidden
	from, to := m.team.share(m.place, texts.Len())
	for i := from; i < to; i++ {
		first, last := texts.Starts[i]-texts.Starts[0], texts.Starts[i+1]-texts.Starts[0]
		pooled := out[i*h:][:h]
		switch n.pooling {
		case checkpoint.CLS:
			copy(pooled, m.own.x[first*h:])
		case checkpoint.Last:
			copy(pooled, m.own.x[(last-1)*h:])
		default:
			mean(pooled, m.own.x[first*h:last*h])
		}
	}
}

// mean sets out to the mean of rows.
func mean(out, rows []float32) {
	clear(out)
	for at := rows; len(at) > 0; at = at[len(out):] {
		for i, x := range at[:len(out)] {
			out[i] += x
		}
	}
	by := float32(len(out)) / float32(len(rows))
	for i := range out {
		out[i] *= by
	}
}
