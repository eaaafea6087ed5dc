package dots

import "golang.org/x/sys/cpu"

// kernel compares a row with as many queries as its place in a list says.
type kernel func(row, ahead, queries *float32, dim uint64, out *float32)

var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F

	kernelsAVX2   = [Max]kernel{many1AVX2, many2AVX2, many3AVX2, many4AVX2, many5AVX2, many6AVX2, many7AVX2, many8AVX2}
	kernelsAVX512 = [Max]kernel{many1AVX512, many2AVX512, many3AVX512, many4AVX512, many5AVX512, many6AVX512, many7AVX512, many8AVX512}
)

// many uses assembly and reports whether it did.
func many(row, ahead, queries, out []float32) bool {
	next := &row[0]
	if len(ahead) == len(row) {
		next = &ahead[0]
	}
	switch {
	case hasAVX512 && len(row)%16 == 0:
		kernelsAVX512[len(out)-1](&row[0], next, &queries[0], uint64(len(row)), &out[0])
	case hasAVX2 && len(row)%8 == 0:
		kernelsAVX2[len(out)-1](&row[0], next, &queries[0], uint64(len(row)), &out[0])
	default:
		return false
	}
	return true
}
