package kernel

// whole is how many of n elements the kernels take, the twins the rest.
func whole(n int) int {
	if active == portable {
		return 0
	}
	return n &^ (lanes - 1)
}

func axpyFast(y, x []float32, a float32) {
	if active == levelAVX512 {
		axpyAVX512(&y[0], &x[0], uint64(len(y)), a)
		return
	}
	axpyAVX2(&y[0], &x[0], uint64(len(y)), a)
}

func scaleFast(x []float32, a float32) {
	if active == levelAVX512 {
		scaleAVX512(&x[0], uint64(len(x)), a)
		return
	}
	scaleAVX2(&x[0], uint64(len(x)), a)
}

func dotFast(x, y []float32) float32 {
	if active == levelAVX512 {
		return dotAVX512(&x[0], &y[0], uint64(len(x)))
	}
	return dotAVX2(&x[0], &y[0], uint64(len(x)))
}

func addProductFast(sum, x, y []float32) {
	if active == levelAVX512 {
		addProductAVX512(&sum[0], &x[0], &y[0], uint64(len(sum)))
		return
	}
	addProductAVX2(&sum[0], &x[0], &y[0], uint64(len(sum)))
}

func geluGradFast(d, x []float32) {
	if active == levelAVX512 {
		geluGradAVX512(&d[0], &x[0], uint64(len(d)))
		return
	}
	geluGradAVX2(&d[0], &x[0], uint64(len(d)))
}

func normFast(y, unit, x, scale, shift []float32, epsilon float32) float32 {
	if active == levelAVX512 {
		return normAVX512(&y[0], &unit[0], &x[0], &scale[0], &shift[0], uint64(len(x)), epsilon)
	}
	return normAVX2(&y[0], &unit[0], &x[0], &scale[0], &shift[0], uint64(len(x)), epsilon)
}

func normGradFast(d, unit, scale []float32, by float32) {
	if active == levelAVX512 {
		normGradAVX512(&d[0], &unit[0], &scale[0], uint64(len(d)), by)
		return
	}
	normGradAVX2(&d[0], &unit[0], &scale[0], uint64(len(d)), by)
}

func dropoutFast(x []float32, m Mask, first uint32) {
	if active == levelAVX512 {
		dropoutAVX512(&x[0], uint64(len(x)), m.low, m.high, first, m.threshold, m.scale)
		return
	}
	dropoutAVX2(&x[0], uint64(len(x)), m.low, m.high, first, m.threshold, m.scale)
}

func adamFast(w, g, m, v []float32, c *[9]float32) {
	if active == levelAVX512 {
		adamAVX512(&w[0], &g[0], &m[0], &v[0], uint64(len(w)), &c[0])
		return
	}
	adamAVX2(&w[0], &g[0], &m[0], &v[0], uint64(len(w)), &c[0])
}
