// Command gen writes the amd64 kernels of package dots and the Go declarations that
// go with them. It is run by go generate in that package. One description yields the
// AVX2 and the AVX-512 form of each kernel, so that they cannot drift apart.
package main

import (
	"fmt"

	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// form is an instruction set: its suffix, its components a register, and how to take
// a register and to clear it.
type form struct {
	name  string
	lanes int
	vec   func() reg.VecVirtual
	clear func(v reg.VecVirtual)
}

var (
	avx2 = form{"AVX2", 8, asm.YMM, func(v reg.VecVirtual) { asm.VXORPS(v, v, v) }}
	// VPXORD needs no more than AVX-512F; VXORPS on whole registers would.
	avx512 = form{"AVX512", 16, asm.ZMM, func(v reg.VecVirtual) { asm.VPXORD(v, v, v) }}
)

func main() {
	for _, f := range []form{avx2, avx512} {
		for k := 1; k <= 8; k++ {
			many(f, k)
		}
	}
	asm.Generate()
}

// many writes the kernel for k queries, one accumulator each.
func many(f form, k int) {
	asm.TEXT(fmt.Sprintf("many%d%s", k, f.name), asm.NOSPLIT, "func(row, ahead, queries *float32, dim uint64, out *float32)")
	asm.Doc(fmt.Sprintf("many%d%s compares a row with %d queries and asks for the row ahead. dim is a multiple of %d.", k, f.name, k, f.lanes))
	asm.Pragma("noescape")
	row, dim, out := asm.Load(asm.Param("row"), asm.GP64()), asm.Load(asm.Param("dim"), asm.GP64()), asm.Load(asm.Param("out"), asm.GP64())
	ahead := asm.Load(asm.Param("ahead"), asm.GP64())
	queries := pointers(k, dim)
	sums := make([]reg.VecVirtual, k)
	for j := range sums {
		sums[j] = f.vec()
		f.clear(sums[j])
	}
	at := asm.GP64()
	asm.XORQ(at, at)
	x := f.vec()
	loop := fmt.Sprintf("loop%d%s", k, f.name)
	asm.Label(loop)
	asm.PREFETCHT0(op.Mem{Base: ahead, Index: at, Scale: 4})
	asm.VMOVUPS(op.Mem{Base: row, Index: at, Scale: 4}, x)
	for j := range sums {
		asm.VFMADD231PS(op.Mem{Base: queries[j], Index: at, Scale: 4}, x, sums[j])
	}
	asm.ADDQ(op.U8(uint8(f.lanes)), at)
	asm.CMPQ(at, dim)
	asm.JB(op.LabelRef(loop))
	for j, sum := range sums {
		store(f, sum, op.Mem{Base: out, Disp: 4 * j})
	}
	asm.VZEROUPPER()
	asm.RET()
}

// store adds a register up and writes the sum.
func store(f form, sum reg.VecVirtual, to op.Mem) {
	if f.lanes == 16 {
		upper := asm.YMM()
		asm.VEXTRACTF64X4(op.U8(1), sum, upper)
		asm.VADDPS(upper, sum.AsY(), sum.AsY())
	}
	half, low := asm.XMM(), sum.AsX()
	asm.VEXTRACTF128(op.U8(1), sum.AsY(), half)
	asm.VADDPS(half, low, low)
	asm.VMOVHLPS(low, low, half)
	asm.VADDPS(half, low, low)
	asm.VMOVSHDUP(low, half)
	asm.VADDSS(half, low, low)
	asm.VMOVSS(low, to)
}

// pointers returns where each query begins.
func pointers(k int, dim reg.Register) []reg.Register {
	list := make([]reg.Register, k)
	list[0] = asm.Load(asm.Param("queries"), asm.GP64())
	for j := 1; j < k; j++ {
		next := asm.GP64()
		asm.LEAQ(op.Mem{Base: list[j-1], Index: dim, Scale: 4}, next)
		list[j] = next
	}
	return list
}
