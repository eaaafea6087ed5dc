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
	levelVNNI // AVX-512 with instructions that multiply bytes
)

// active is what runs. Only tests change it.
var active = best()

func best() level {
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasBMI2:
		return portable
	case x.HasAVX512VNNI && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL:
		return levelVNNI
	case x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL:
		return levelAVX512
	}
	return levelAVX2
}

// Name says which instruction set runs: avx512vnni, avx512, avx2 or
// portable.
func Name() string {
	return [...]string{"portable", "avx2", "avx512", "avx512vnni"}[active]
}

// chunks is the table's chunks as the kernels take them.
func (t *Table) chunks() (first **uint8, shift, stride uint64) {
	return (**uint8)(unsafe.Pointer(unsafe.SliceData(t.Chunks))), uint64(t.Shift), uint64(t.Stride)
}

// gather scores with assembly and reports whether it did.
func gather(q []float32, t *Table, ids []uint32, out []float32) bool {
	chunks, shift, stride := t.chunks()
	switch active {
	case levelVNNI, levelAVX512:
		dotGatherAVX512(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	case levelAVX2:
		dotGatherAVX2(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	default:
		return false
	}
	return true
}

// gatherCodes scores with assembly and reports whether it did.
func gatherCodes(q []int8, t *Table, ids []uint32, out []int32) bool {
	chunks, shift, stride := t.chunks()
	switch active {
	case levelVNNI:
		dotCodesVNNI(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	case levelAVX512, levelAVX2:
		dotCodesAVX2(&q[0], uint64(len(q)), chunks, shift, stride, &ids[0], uint64(len(ids)), &out[0])
	default:
		return false
	}
	return true
}

// filter filters with assembly and reports whether it did. The race detector
// does not see into assembly, so under it the Go twin runs.
func (v *Visits) filter(links, out []uint32, t *Table, ahead unsafe.Pointer) (int, bool) {
	if active == portable || raceEnabled {
		return 0, false
	}
	chunks, shift, stride := t.chunks()
	n := unseenAMD64(&links[0], uint64(len(links)), &v.marks[0], uint64(len(v.marks)), uint64(v.gen), &out[0], chunks, shift, stride, (*uint8)(ahead))
	return int(n), true
}

// sumNibbles sums with assembly and reports whether it did. The race detector
// does not see into assembly, so under it the Go twin runs.
func sumNibbles(tables []uint8, lines int, blocks []uint64, count int, out []uint8) bool {
	if active == portable || raceEnabled {
		return false
	}
	if active >= levelAVX512 {
		sumNibblesAVX512(&tables[0], uint64(lines), (*uint8)(unsafe.Pointer(&blocks[0])), uint64(count), &out[0])
	} else {
		sumNibblesAVX2(&tables[0], uint64(lines), (*uint8)(unsafe.Pointer(&blocks[0])), uint64(count), &out[0])
	}
	return true
}

// between compares with assembly and reports whether it did.
func between(values []uint8, low, span uint8, out []uint64) bool {
	if active == portable {
		return false
	}
	betweenAVX2(&values[0], uint64(len(out)), uint64(low), uint64(span), &out[0])
	return true
}
