package ranker

import "math"

// ln1p is ln(1+x) for finite x at or above 0, to within 3e-7 of the larger of 1 and
// the result. A request takes some thousand of them, and math.Log1p is exact to more
// digits than a float32 column holds. The reduction to a mantissa near 1 and the
// polynomial are those of Cephes' logf (Moshier, 1992).
func ln1p(x float32) float32 {
	bits := math.Float32bits(1 + x)
	exponent := int32(bits>>23) - 126
	m := math.Float32frombits(bits&0x007fffff | 0x3f000000) // [0.5, 1)
	if m < math.Sqrt2/2 {
		exponent--
		m += m
	}
	m--
	square := m * m
	y := float32(7.0376836292e-2)
	y = y*m - 1.1514610310e-1
	y = y*m + 1.1676998740e-1
	y = y*m - 1.2420140846e-1
	y = y*m + 1.4249322787e-1
	y = y*m - 1.6668057665e-1
	y = y*m + 2.0000714765e-1
	y = y*m - 2.4999993993e-1
	y = y*m + 3.3333331174e-1
	y *= m * square
	e := float32(exponent)
	y += -2.12194440e-4*e - 0.5*square
	return m + y + 0.693359375*e
}
