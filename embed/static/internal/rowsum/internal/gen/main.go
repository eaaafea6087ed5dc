// Command gen writes the amd64 kernels of package rowsum and the Go declarations
// that go with them. It is run by go generate in that package:
//
//	go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg rowsum
//
// What a kernel computes is said by its Go twin in package rowsum.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	lane    = 8              // float32 of one vector register
	vectors = 8              // registers of partial sums
	stretch = lane * vectors // components taken at a time
)

func main() {
	sumRows()
	squares()
	multiply()
	asm.Generate()
}

// sumRows writes the sums of the rows, a stretch of components after the other.
func sumRows() {
	asm.TEXT("sumRows", attr.NOSPLIT, "func(out *float32, dim uint64, rows *byte, scales *float32, ids *int32, count uint64)")
	asm.Pragma("noescape")
	asm.Doc("sumRows does what Table.sumPlain does, for a multiple of 64 components and at least one id.")
	out, dim, rows := load("out"), load("dim"), load("rows")
	scales, ids, count := load("scales"), load("ids"), load("count")
	left := asm.GP64()
	asm.MOVQ(dim, left)

	asm.Label("stretch")
	var sums [vectors]reg.VecVirtual
	for i := range sums {
		sums[i] = asm.YMM()
		asm.VXORPS(sums[i], sums[i], sums[i])
	}
	token := asm.GP64()
	asm.XORQ(token, token)

	asm.Label("token")
	id, row, scale := asm.GP64(), asm.GP64(), asm.YMM()
	asm.MOVLQSX(op.Mem{Base: ids, Index: token, Scale: 4}, id)
	asm.VBROADCASTSS(op.Mem{Base: scales, Index: id, Scale: 4}, scale)
	asm.MOVQ(id, row)
	asm.IMULQ(dim, row)
	asm.ADDQ(rows, row)
	for i := range sums {
		v := asm.YMM()
		asm.VPMOVSXBD(op.Mem{Base: row, Disp: lane * i}, v)
		asm.VCVTDQ2PS(v, v)
		asm.VMULPS(scale, v, v)
		asm.VADDPS(v, sums[i], sums[i])
	}
	asm.INCQ(token)
	asm.CMPQ(token, count)
	asm.JB(op.LabelRef("token"))

	for i, sum := range sums {
		asm.VMOVUPS(sum, op.Mem{Base: out, Disp: 4 * lane * i})
	}
	asm.ADDQ(op.U32(4*stretch), out)
	asm.ADDQ(op.U32(stretch), rows)
	asm.SUBQ(op.U32(stretch), left)
	asm.JNZ(op.LabelRef("stretch"))
	asm.VZEROUPPER()
	asm.RET()
}

// squares writes the sums of squares, a lane each of two vectors.
func squares() {
	asm.TEXT("squares", attr.NOSPLIT, "func(x *float32, n uint64, sums *float32)")
	asm.Pragma("noescape")
	asm.Doc("squares does what squaresPlain does, from sums of zero and for a multiple of 64 components.")
	x, n, out := load("x"), load("n"), load("sums")
	sums := [2]reg.VecVirtual{asm.YMM(), asm.YMM()}
	for _, sum := range sums {
		asm.VXORPS(sum, sum, sum)
	}
	asm.Label("squareStretch")
	for i := range vectors {
		v := asm.YMM()
		asm.VMOVUPS(op.Mem{Base: x, Disp: 4 * lane * i}, v)
		asm.VMULPS(v, v, v)
		asm.VADDPS(v, sums[i%2], sums[i%2])
	}
	asm.ADDQ(op.U32(4*stretch), x)
	asm.SUBQ(op.U32(stretch), n)
	asm.JNZ(op.LabelRef("squareStretch"))
	for i, sum := range sums {
		asm.VMOVUPS(sum, op.Mem{Base: out, Disp: 4 * lane * i})
	}
	asm.VZEROUPPER()
	asm.RET()
}

// multiply scales a vector in place.
func multiply() {
	asm.TEXT("multiply", attr.NOSPLIT, "func(x *float32, n uint64, by float32)")
	asm.Pragma("noescape")
	asm.Doc("multiply does what multiplyPlain does, for a multiple of 64 components.")
	x, n := load("x"), load("n")
	by := asm.YMM()
	asm.VBROADCASTSS(parameter("by"), by)
	asm.Label("multiplyStretch")
	for i := range vectors {
		v := asm.YMM()
		asm.VMULPS(op.Mem{Base: x, Disp: 4 * lane * i}, by, v)
		asm.VMOVUPS(v, op.Mem{Base: x, Disp: 4 * lane * i})
	}
	asm.ADDQ(op.U32(4*stretch), x)
	asm.SUBQ(op.U32(stretch), n)
	asm.JNZ(op.LabelRef("multiplyStretch"))
	asm.VZEROUPPER()
	asm.RET()
}

func load(name string) reg.GPVirtual {
	return asm.Load(asm.Param(name), asm.GP64()).(reg.GPVirtual)
}

// parameter is where a parameter lies on the stack.
func parameter(name string) op.Mem {
	b, err := asm.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}
