package ranker

import (
	"math"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

const (
	priorDeviation = 0.4 // of the logarithm of prices: half as high again
	farPrice       = 4   // deviations; further off is as far
)

// priceDistance compares prices with the range that the anchors span.
func priceDistance(r *run, out []float32) {
	var n, sum, squares float32
	for i := range r.anchors {
		if x, ok := logPrice(r.anchors[i].row); ok {
			n, sum, squares = n+1, sum+x, squares+x*x
		}
	}
	if n == 0 {
		return
	}
	mean := sum / n
	variance := (max(0, squares-n*mean*mean) + priorDeviation*priorDeviation) / n
	scale := 1 / sqrt(variance)
	for i, row := range r.rows {
		if x, ok := logPrice(row); ok {
			out[i] = min(farPrice, scale*max(x-mean, mean-x))
		}
	}
}

// logPrice is ln(1+price) of a row, which may be nil.
func logPrice(row *catalog.Row) (float32, bool) {
	if row == nil || !row.HasPrice() || row.Price > math.MaxFloat32 {
		return 0, false
	}
	return ln1p(float32(row.Price)), true
}
