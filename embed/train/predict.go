package train

import (
	"errors"

	"gonum.org/v1/gonum/mat"
)

// predict fits a linear map from texts to factors, [dim, textDim], over the items that
// have both, and takes what it predicts out of the factors of those: what text and
// residual add up to is unchanged. Those that have no counts keep zeros beside their text.
func predict(d Data, factors []float32, dim int, ridge float64) ([]float32, error) {
	n := d.TextDim
	gram, cross := mat.NewSymDense(n, nil), mat.NewDense(n, dim, nil)
	var known []int
	x, y := mat.NewVecDense(n, nil), mat.NewVecDense(dim, nil)
	for item := range d.Items {
		text, row := d.text(item), factors[item*dim:(item+1)*dim]
		if text == nil || zero(row) {
			continue
		}
		known = append(known, item)
		for i, v := range text {
			x.SetVec(i, float64(v))
		}
		for i, v := range row {
			y.SetVec(i, float64(v))
		}
		gram.SymRankOne(gram, 1, x)
		cross.RankOne(cross, 1, x, y)
	}
	for i := range n {
		gram.SetSym(i, i, gram.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return nil, errors.New("train: the text vectors are not finite, or Ridge is not above 0")
	}
	var solved mat.Dense
	if err := chol.SolveTo(&solved, cross); err != nil {
		return nil, err
	}
	w := make([]float32, dim*n)
	for r := range dim {
		for c := range n {
			w[r*n+c] = float32(solved.At(c, r))
		}
	}
	for _, item := range known {
		text, row := d.text(item), factors[item*dim:(item+1)*dim]
		for r := range row {
			sum := float32(0)
			for c, v := range text {
				sum += w[r*n+c] * v
			}
			row[r] -= sum
		}
	}
	return w, nil
}

func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
