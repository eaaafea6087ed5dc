package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// level is an instruction set that kernels exist for, worst first.
type level int

const (
	portable level = iota
	levelAVX2
	levelAVX512
)

// active is what runs. Only tests change it.
var active = best()

func best() level {
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasBMI2:
		return portable
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL:
		return levelAVX512
	}
	return levelAVX2
}

// Name says which instruction set runs: avx512, avx2 or portable.
func Name() string {
	return [...]string{"portable", "avx2", "avx512"}[active]
}

// gather scores with assembly and reports whether it did.
func gather(q []float32, t Table, ids []uint32, out []float32) bool {
	shift, stride := uint64(t.Shift), uint64(t.Stride)*4
	chunks := unsafe.SliceData(t.Chunks)
	switch active {
	case levelAVX512:
		dotGatherAVX512(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	case levelAVX2:
		dotGatherAVX2(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	default:
		return false
	}
	return true
}
