// Command gen writes the amd64 kernels of package dense and the Go declarations that
// go with them. It is run by go generate in that package. One description yields the
// AVX2 and the AVX-512 form, so that they cannot drift apart.
package main

import (
	"fmt"

	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	block   = 64 // candidates
	outputs = 4
)

// form is an instruction set: its suffix, its components a register, and how to take
// a register.
type form struct {
	name  string
	lanes int
	vec   func() reg.VecVirtual
}

func main() {
	for _, f := range []form{{"AVX2", 8, asm.YMM}, {"AVX512", 16, asm.ZMM}} {
		forward(f)
	}
	asm.Generate()
}

// forward writes the kernel: two registers of candidates by four outputs at a time.
func forward(f form) {
	asm.TEXT("forward"+f.name, asm.NOSPLIT, "func(in, weights, bias, out *float32, inputs uint64, floor float32)")
	asm.Doc(fmt.Sprintf("forward%s computes four outputs of a block: in is [inputs, %d], weights [inputs, %d], bias [%d], out [%d, %d].",
		f.name, block, outputs, outputs, outputs, block))
	asm.Pragma("noescape")
	in, weights := asm.Load(asm.Param("in"), asm.GP64()), asm.Load(asm.Param("weights"), asm.GP64())
	bias, out := asm.Load(asm.Param("bias"), asm.GP64()), asm.Load(asm.Param("out"), asm.GP64())
	inputs := asm.Load(asm.Param("inputs"), asm.GP64())
	floor := f.vec()
	low := asm.XMM()
	asm.Load(asm.Param("floor"), low)
	asm.VBROADCASTSS(low, floor)
	for part := range block / (2 * f.lanes) {
		var sums [outputs][2]reg.VecVirtual
		for j := range sums {
			for half := range sums[j] {
				sums[j][half] = f.vec()
				asm.VBROADCASTSS(op.Mem{Base: bias, Disp: 4 * j}, sums[j][half])
			}
		}
		column, weight, left := asm.GP64(), asm.GP64(), asm.GP64()
		asm.LEAQ(op.Mem{Base: in, Disp: 4 * part * 2 * f.lanes}, column)
		asm.MOVQ(weights, weight)
		asm.MOVQ(inputs, left)
		loop := fmt.Sprintf("loop%d%s", part, f.name)
		asm.Label(loop)
		a, b, w := f.vec(), f.vec(), f.vec()
		asm.VMOVUPS(op.Mem{Base: column}, a)
		asm.VMOVUPS(op.Mem{Base: column, Disp: 4 * f.lanes}, b)
		for j := range sums {
			asm.VBROADCASTSS(op.Mem{Base: weight, Disp: 4 * j}, w)
			asm.VFMADD231PS(w, a, sums[j][0])
			asm.VFMADD231PS(w, b, sums[j][1])
		}
		asm.ADDQ(op.U32(4*block), column)
		asm.ADDQ(op.U8(4*outputs), weight)
		asm.DECQ(left)
		asm.JNZ(op.LabelRef(loop))
		for j := range sums {
			for half, sum := range sums[j] {
				asm.VMAXPS(floor, sum, sum)
				asm.VMOVUPS(sum, op.Mem{Base: out, Disp: 4 * (j*block + (2*part+half)*f.lanes)})
			}
		}
	}
	asm.VZEROUPPER()
	asm.RET()
}
