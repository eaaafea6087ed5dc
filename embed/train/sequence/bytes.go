package sequence

import "github.com/kindred-rec/kindred/embed/train/sequence/internal/layer"

// Bytes estimates the memory that training takes at most, but for the events and the
// texts: weights, gradients, Adam's means and copies; items' vectors, as they are and
// packed; what the two passes keep of a step; and scores.
func (o Options) Bytes() int64 {
	c := o.Config
	dim, items, rows := int64(c.Dim), int64(c.Items), int64(o.BatchTokens)
	wide, layers := int64(c.FeedForward), int64(c.Layers)
	weights := dim*int64(c.TextDim) + items*dim + int64(c.Types+c.Gaps+c.Values+c.Window+2)*dim +
		layers*(4*dim*dim+2*dim*wide+wide+9*dim+int64(c.Heads*c.Window))
	copies := int64(6) // the weights, their gradient, two means, the best, and one for a checkpoint or validation
	if o.EMA > 0 {
		copies++
	}
	tables := int64(3) // the vectors and both ways in which they are packed
	if o.samples() {
		tables++ // the gradient of those that take part, and where they lie
	}
	if c.Scale > 0 {
		tables += 2
	}
	kept := rows * (layers*int64(layer.FloatsPerRow(c)) + (layers+8)*dim)
	scores := int64(o.ScoreBytes) + 4*items*int64(12+o.workers()*caseRows)
	return 4*(copies*weights+tables*items*dim+kept) + scores
}
