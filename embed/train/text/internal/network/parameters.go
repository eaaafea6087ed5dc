package network

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/kindred-rec/kindred/embed/transformer/bertgraph"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Parameter is an array of the network.
type Parameter struct {
	Name  string
	Shape []int
	Data  []float32
	Decay bool    // whether weight decay pulls it to zero
	Rate  float64 // multiplies the learning rate
}

// Adapter is a low-rank change of matrices. The names of matrices are those of [Matrices].
type Adapter struct {
	Rank     int
	Alpha    float64
	Matrices []string
}

// Matrices are what an adapter can change, in each layer.
var Matrices = []string{"query", "key", "value", "attention_output", "feed_forward_up", "feed_forward_down"}

// Freezing says what is not trained. With an adapter nothing of the encoder is trained
// but the adapter, and Layers have none.
type Freezing struct {
	Embeddings bool
	Layers     int // the lowest ones
}

// sizes are the inputs and outputs of a matrix.
func sizes(c checkpoint.Config, matrix string) (in, out int) {
	switch matrix {
	case "feed_forward_up":
		return c.Hidden, c.FeedForward
	case "feed_forward_down":
		return c.FeedForward, c.Hidden
	}
	return c.Hidden, c.Hidden
}

// split says which parameters of an encoder stay as they are and which are trained.
func split(c checkpoint.Config, values []bertgraph.Value, freezing Freezing, adapter *Adapter, seed uint64) (frozen, trained []Parameter) {
	for _, v := range values {
		p := Parameter{Name: v.Name, Shape: v.Shape, Data: v.Data, Decay: len(v.Shape) > 1, Rate: 1}
		layer := -1
		if strings.HasPrefix(v.Name, "layer_") {
			_, _ = fmt.Sscanf(v.Name, "layer_%d_", &layer)
		}
		stays := layer < freezing.Layers
		if layer < 0 {
			stays = freezing.Embeddings
		}
		if stays || adapter != nil {
			frozen = append(frozen, p)
		} else {
			trained = append(trained, p)
		}
	}
	if adapter != nil {
		trained = adapters(c, freezing.Layers, *adapter, seed)
	}
	return frozen, trained
}

func downName(layer int, matrix string) string {
	return fmt.Sprintf("layer_%d_%s_adapter_a", layer, matrix)
}
func upName(layer int, matrix string) string {
	return fmt.Sprintf("layer_%d_%s_adapter_b", layer, matrix)
}

// adapters are the two factors of each matrix: A [in, rank], uniform and of the spread
// that keeps x A as large as x, and B [rank, out], zero.
func adapters(c checkpoint.Config, first int, a Adapter, seed uint64) (all []Parameter) {
	random := rand.New(rand.NewPCG(seed, 0x61646170746572))
	for layer := first; layer < c.Layers; layer++ {
		for _, matrix := range a.Matrices {
			in, out := sizes(c, matrix)
			down := make([]float32, in*a.Rank)
			bound := 1 / math.Sqrt(float64(in))
			for i := range down {
				down[i] = float32(bound * (2*random.Float64() - 1))
			}
			all = append(all,
				Parameter{downName(layer, matrix), []int{in, a.Rank}, down, true, 1},
				Parameter{upName(layer, matrix), []int{a.Rank, out}, make([]float32, a.Rank*out), true, 1})
		}
	}
	return all
}

// merge multiplies the adapter, which is among parameters by name, into matrices.
func merge(c checkpoint.Config, w *checkpoint.Weights, parameters map[string][]float32, a Adapter) {
	for layer := range w.Layers {
		l := &w.Layers[layer]
		for matrix, weight := range map[string][]float32{"query": l.Query.Weight, "key": l.Key.Weight, "value": l.Value.Weight,
			"attention_output": l.Output.Weight, "feed_forward_up": l.Up.Weight, "feed_forward_down": l.Down.Weight} {
			down, there := parameters[downName(layer, matrix)]
			if !there {
				continue
			}
			in, out := sizes(c, matrix)
			addProduct(weight, down, parameters[upName(layer, matrix)], in, out, a.Rank, a.Alpha/float64(a.Rank))
		}
	}
}

// addProduct adds by · A B, transposed, to weight [out, in].
func addProduct(weight, a, b []float32, in, out, rank int, by float64) {
	for o := range out {
		for i := range in {
			var sum float64
			for r := range rank {
				sum += float64(a[i*rank+r]) * float64(b[r*out+o])
			}
			weight[o*in+i] += float32(by * sum)
		}
	}
}
