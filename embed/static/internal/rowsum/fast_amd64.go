package rowsum

import "golang.org/x/sys/cpu"

// stretch is how many components the kernels take at a time.
const stretch = 64

// avx2 says whether the kernels run. Only tests change it.
var avx2 = cpu.X86.HasAVX2

// sumFast does what sumPlain does and reports whether it did. There is at least
// one id, and all are in range.
func sumFast(t Table, out []float32, ids []int32) bool {
	if !avx2 || t.Dim%stretch != 0 {
		return false
	}
	sumRows(&out[0], uint64(t.Dim), &t.Rows[0], &t.Scales[0], &ids[0], uint64(len(ids)))
	return true
}

func squaresFast(x []float32, sums *[lanes]float32) bool {
	if !avx2 || len(x) == 0 || len(x)%stretch != 0 {
		return false
	}
	squares(&x[0], uint64(len(x)), &sums[0])
	return true
}

func multiplyFast(x []float32, by float32) bool {
	if !avx2 || len(x) == 0 || len(x)%stretch != 0 {
		return false
	}
	multiply(&x[0], uint64(len(x)), by)
	return true
}
