// Command gen writes the amd64 kernels of package kernel and the Go declarations
// that go with them. It is run by go generate in that package:
//
//	go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg kernel
//
// What a kernel computes is said by its Go twin in package kernel.
package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set that the kernels are written for.
type isa struct {
	name     string
	lanes    int // float32 of one vector register
	tileRows int // rows of the highest tile
	vec      func() reg.VecVirtual
}

var (
	avx2   = isa{name: "AVX2", lanes: 8, tileRows: 6, vec: asm.YMM}
	avx512 = isa{name: "AVX512", lanes: 16, tileRows: 12, vec: asm.ZMM}
)

// training are the kernels of a backward pass.
var training = []func(isa){axpy, scale, dot, addProduct, geluGrad, norm, normGrad, dropout, adam}

const attrData = attr.RODATA | attr.NOPTR

func main() {
	for _, set := range []isa{avx2, avx512} {
		tiles(set)
		gelu(set)
		exponential(set)
		addNorm(set)
		for _, kernel := range training {
			kernel(set)
		}
	}
	asm.Generate()
}

func (s isa) bytes() int { return 4 * s.lanes }

// constant is a vector that holds x in every lane, in a register for all of the kernel.
func (s isa) constant(x float32) reg.VecVirtual {
	return s.bits(math.Float32bits(x))
}

// bits is a vector that holds u in every lane.
func (s isa) bits(u uint32) reg.VecVirtual {
	v := s.vec()
	asm.VBROADCASTSS(number(u), v)
	return v
}

// numbers are the constants in read-only memory, each once, by their bits.
var numbers = map[uint32]op.Mem{}

// number is where a constant lies.
func number(bits uint32) op.Mem {
	at, ok := numbers[bits]
	if !ok {
		at = asm.ConstData("number"+hex(bits), op.U32(bits))
		numbers[bits] = at
	}
	return at
}

func hex(bits uint32) string {
	const digits = "0123456789abcdef"
	var text [8]byte
	for i := range text {
		text[i] = digits[bits>>(28-4*i)&15]
	}
	return string(text[:])
}

func (s isa) text(name, signature, doc string) {
	asm.TEXT(name+s.name, attr.NOSPLIT, signature)
	asm.Pragma("noescape")
	asm.Doc(name + s.name + " " + doc)
}

func load(name string) reg.GPVirtual {
	return asm.Load(asm.Param(name), asm.GP64()).(reg.GPVirtual)
}
