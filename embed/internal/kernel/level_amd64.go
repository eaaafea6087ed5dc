package kernel

import "golang.org/x/sys/cpu"

// active is what runs. Only tests change it.
var active = best()

func best() level {
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return portable
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL:
		return levelAVX512
	}
	return levelAVX2
}

func tile(rows, k int, t *operands) {
	switch active {
	case levelAVX512:
		tileAVX512(uint64(rows), uint64(k), &t.a[0], uint64(t.row), uint64(t.step), &t.data[0], uint64(t.next), &t.start[0], uint64(t.startRow), &t.c[0], uint64(t.ldc))
	case levelAVX2:
		tileAVX2(uint64(rows), uint64(k), &t.a[0], uint64(t.row), uint64(t.step), &t.data[0], uint64(t.next), &t.start[0], uint64(t.startRow), &t.c[0], uint64(t.ldc))
	default:
		tilePlain(rows, k, t)
	}
}

// lanes is how many elements the kernels over rows take at a time.
const lanes = 16

func geluFast(x []float32) (done int) {
	n := len(x) &^ (lanes - 1)
	switch {
	case n == 0:
	case active == levelAVX512:
		geluAVX512(&x[0], uint64(n))
		return n
	case active == levelAVX2:
		geluAVX2(&x[0], uint64(n))
		return n
	}
	return 0
}

func expFast(x []float32) (sum, most float32, done bool) {
	switch {
	case len(x) == 0 || len(x)%lanes != 0:
	case active == levelAVX512:
		sum, most = expAVX512(&x[0], uint64(len(x)))
		return sum, most, true
	case active == levelAVX2:
		sum, most = expAVX2(&x[0], uint64(len(x)))
		return sum, most, true
	}
	return 0, 0, false
}

func addNormFast(x, residual, scale, shift []float32, epsilon float32) bool {
	switch {
	case len(x) == 0 || len(x)%lanes != 0:
	case active == levelAVX512:
		addNormAVX512(&x[0], &residual[0], &scale[0], &shift[0], uint64(len(x)), epsilon)
		return true
	case active == levelAVX2:
		addNormAVX2(&x[0], &residual[0], &scale[0], &shift[0], uint64(len(x)), epsilon)
		return true
	}
	return false
}
