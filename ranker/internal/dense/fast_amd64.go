package dense

import "golang.org/x/sys/cpu"

var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F
)

// fast uses assembly and reports whether it did.
func fast(in, weights, bias, out []float32, inputs int, floor float32) bool {
	switch {
	case hasAVX512:
		forwardAVX512(&in[0], &weights[0], &bias[0], &out[0], uint64(inputs), floor)
	case hasAVX2:
		forwardAVX2(&in[0], &weights[0], &bias[0], &out[0], uint64(inputs), floor)
	default:
		return false
	}
	return true
}
