package kernel

import "math"

// Axpy adds a times x to y, of one length.
func Axpy(y, x []float32, a float32) {
	x = x[:len(y)]
	n := whole(len(y))
	if n > 0 {
		axpyFast(y[:n], x[:n], a)
	}
	axpyPlain(y[n:], x[n:], a)
}

func axpyPlain(y, x []float32, a float32) {
	for i, v := range x {
		y[i] += a * v
	}
}

// Scale multiplies x by a.
func Scale(x []float32, a float32) {
	n := whole(len(x))
	if n > 0 {
		scaleFast(x[:n], a)
	}
	scalePlain(x[n:], a)
}

func scalePlain(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

// Dot returns the inner product of x and y, of one length.
func Dot(x, y []float32) (sum float32) {
	y = y[:len(x)]
	n := whole(len(x))
	if n > 0 {
		sum = dotFast(x[:n], y[:n])
	}
	return sum + dotPlain(x[n:], y[n:])
}

func dotPlain(x, y []float32) (sum float32) {
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// AddProduct adds x times y, element by element, to sum, all of one length.
func AddProduct(sum, x, y []float32) {
	x, y = x[:len(sum)], y[:len(sum)]
	n := whole(len(sum))
	if n > 0 {
		addProductFast(sum[:n], x[:n], y[:n])
	}
	addProductPlain(sum[n:], x[n:], y[n:])
}

func addProductPlain(sum, x, y []float32) {
	for i, v := range x {
		sum[i] += v * y[i]
	}
}

// GELUGrad multiplies the gradient d of a [GELU]'s result by its slope at x, its
// argument, of one length.
func GELUGrad(d, x []float32) {
	x = x[:len(d)]
	n := whole(len(d))
	if n > 0 {
		geluGradFast(d[:n], x[:n])
	}
	geluGradPlain(d[n:], x[n:])
}

func geluGradPlain(d, x []float32) {
	for i, v := range x {
		below := 0.5 + 0.5*erf(v*float32(1/math.Sqrt2))
		density := float32(math.Exp(-0.5*float64(v)*float64(v)) / math.Sqrt(2*math.Pi))
		d[i] *= below + v*density
	}
}

// Norm sets y to the layer norm of x, keeps in unit what it was before scale and shift,
// and returns what the differences from the mean were multiplied by: [NormGrad] needs
// both. All slices have one length; y may be x. It is fast for a multiple of 16.
func Norm(y, unit, x, scale, shift []float32, epsilon float32) (by float32) {
	y, unit, scale, shift = y[:len(x)], unit[:len(x)], scale[:len(x)], shift[:len(x)]
	if len(x) > 0 && whole(len(x)) == len(x) {
		return normFast(y, unit, x, scale, shift, epsilon)
	}
	return normPlain(y, unit, x, scale, shift, epsilon)
}

func normPlain(y, unit, x, scale, shift []float32, epsilon float32) (by float32) {
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
	}
	mean := float32(sum / float64(len(x)))
	for _, v := range x {
		squares += float64(v-mean) * float64(v-mean)
	}
	by = float32(1 / math.Sqrt(squares/float64(len(x))+float64(epsilon)))
	for i, v := range x {
		unit[i] = (v - mean) * by
		y[i] = unit[i]*scale[i] + shift[i]
	}
	return by
}

// NormGrad replaces d, the gradient of a [Norm]'s result, by that of its argument, given
// what Norm kept. All slices have one length; it is fast for a multiple of 16.
func NormGrad(d, unit, scale []float32, by float32) {
	unit, scale = unit[:len(d)], scale[:len(d)]
	if len(d) > 0 && whole(len(d)) == len(d) {
		normGradFast(d, unit, scale, by)
		return
	}
	normGradPlain(d, unit, scale, by)
}

func normGradPlain(d, unit, scale []float32, by float32) {
	var sum, product float64
	for i := range d {
		g := float64(d[i] * scale[i])
		sum += g
		product += g * float64(unit[i])
	}
	mean, along := float32(sum/float64(len(d))), float32(product/float64(len(d)))
	for i := range d {
		d[i] = (d[i]*scale[i] - mean - along*unit[i]) * by
	}
}
