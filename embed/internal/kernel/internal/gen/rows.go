package main

import (
	"math"

	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Coefficients of the rational erf, highest power first.
var (
	erfAbove = []float32{-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
		-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02}
	erfBelow = []float32{-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
		-1.42647390514189e-02}
)

// gelu writes x/2 (1 + erf(x/√2)) in place.
func gelu(set isa) {
	set.text("gelu", "func(x *float32, n uint64)", "does what geluPlain does, for a multiple of 16.")
	x, n := load("x"), load("n")
	asm.Label("gelu")
	v, z, square := set.vec(), set.vec(), set.vec()
	asm.VMOVUPS(op.Mem{Base: x}, v)
	asm.VMULPS(set.constant(1/math.Sqrt2), v, z)
	asm.VMINPS(set.constant(4), z, z)
	asm.VMAXPS(set.constant(-4), z, z)
	asm.VMULPS(z, z, square)
	above, below := set.polynomial(erfAbove, square), set.polynomial(erfBelow, square)
	asm.VMULPS(z, above, above)
	asm.VDIVPS(below, above, above)
	half := set.vec()
	asm.VMULPS(set.constant(0.5), v, half)
	asm.VFMADD213PS(half, half, above) // half*above + half
	asm.VMOVUPS(above, op.Mem{Base: x})
	asm.ADDQ(op.Imm(uint64(set.bytes())), x)
	asm.SUBQ(op.Imm(uint64(set.lanes)), n)
	asm.JNZ(op.LabelRef("gelu"))
	asm.VZEROUPPER()
	asm.RET()
}

// polynomial evaluates coefficients, highest power first, at x.
func (s isa) polynomial(coefficients []float32, x reg.VecVirtual) reg.VecVirtual {
	sum := s.constant(coefficients[0])
	for _, c := range coefficients[1:] {
		asm.VFMADD213PS(s.constant(c), x, sum) // sum*x + c
	}
	return sum
}

// exponential writes exp(x - the largest) in place and returns the sum.
func exponential(set isa) {
	set.text("exp", "func(x *float32, n uint64) (sum, most float32)", "does what expPlain does, for a multiple of 16.")
	x, n := load("x"), load("n")
	most := set.vec()
	asm.VMOVUPS(op.Mem{Base: x}, most)
	at, left := asm.GP64(), asm.GP64()
	asm.MOVQ(x, at)
	asm.MOVQ(n, left)
	asm.Label("most")
	asm.VMAXPS(op.Mem{Base: at}, most, most)
	asm.ADDQ(op.Imm(uint64(set.bytes())), at)
	asm.SUBQ(op.Imm(uint64(set.lanes)), left)
	asm.JNZ(op.LabelRef("most"))
	set.acrossLanes(most, asm.VMAXPS)

	sum := set.vec()
	set.zero(sum)
	asm.Label("exp")
	v := set.vec()
	asm.VMOVUPS(op.Mem{Base: x}, v)
	asm.VSUBPS(most, v, v)
	power := set.exp(v)
	asm.VMOVUPS(power, op.Mem{Base: x})
	asm.VADDPS(power, sum, sum)
	asm.ADDQ(op.Imm(uint64(set.bytes())), x)
	asm.SUBQ(op.Imm(uint64(set.lanes)), n)
	asm.JNZ(op.LabelRef("exp"))
	set.acrossLanes(sum, asm.VADDPS)
	asm.Store(sum.AsX(), asm.ReturnIndex(0))
	asm.Store(most.AsX(), asm.ReturnIndex(1))
	asm.VZEROUPPER()
	asm.RET()
}

// exp is the exponential of v, which is at most 0 and is overwritten: 2 to the nearest
// whole power, times a polynomial of what is left.
func (s isa) exp(v reg.VecVirtual) reg.VecVirtual {
	asm.VMAXPS(s.constant(-87), v, v)
	whole := s.vec()
	asm.VMULPS(s.constant(math.Log2E), v, whole)
	s.round(whole)
	asm.VFNMADD231PS(s.constant(0.693359375), whole, v)
	asm.VFNMADD231PS(s.constant(-2.12194440e-4), whole, v)
	p := s.polynomial([]float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}, v)
	square := s.vec()
	asm.VMULPS(v, v, square)
	asm.VFMADD213PS(v, square, p) // p*square + v
	asm.VADDPS(s.constant(1), p, p)
	asm.VCVTPS2DQ(whole, whole)
	asm.VPSLLD(op.Imm(23), whole, whole)
	asm.VPADDD(whole, p, p)
	return p
}

func (s isa) round(v reg.VecVirtual) {
	if s.lanes == 16 {
		asm.VRNDSCALEPS(op.Imm(8), v, v)
		return
	}
	asm.VROUNDPS(op.Imm(8), v, v)
}

func (s isa) zero(v reg.VecVirtual) {
	if s.lanes == 16 {
		asm.VPXORD(v, v, v)
		return
	}
	asm.VXORPS(v, v, v)
}

// acrossLanes leaves what combine makes of all lanes in every lane.
func (s isa) acrossLanes(v reg.VecVirtual, combine func(...op.Op)) {
	t := s.vec()
	if s.lanes == 16 {
		asm.VSHUFF32X4(op.Imm(0x4e), v, v, t)
		combine(t, v, v)
		asm.VSHUFF32X4(op.Imm(0xb1), v, v, t)
		combine(t, v, v)
	} else {
		asm.VPERM2F128(op.Imm(1), v, v, t)
		combine(t, v, v)
	}
	asm.VSHUFPS(op.Imm(0x4e), v, v, t)
	combine(t, v, v)
	asm.VSHUFPS(op.Imm(0xb1), v, v, t)
	combine(t, v, v)
}

// addNorm writes the layer norm of x + residual to x.
func addNorm(set isa) {
	set.text("addNorm", "func(x, residual, scale, shift *float32, n uint64, epsilon float32)", "does what addNormPlain does, for a multiple of 16.")
	x, residual, n := load("x"), load("residual"), load("n")
	count := set.vec() // the length, in every lane
	asm.VCVTSI2SSQ(n, count.AsX(), count.AsX())
	asm.VBROADCASTSS(count.AsX(), count)
	at := asm.GP64() // bytes from the beginning
	end := asm.GP64()
	asm.MOVQ(n, end)
	asm.SHLQ(op.Imm(2), end)
	in := func(base reg.GPVirtual) op.Mem { return op.Mem{Base: base, Index: at, Scale: 1} }
	loop := func(label string, body func()) {
		asm.XORQ(at, at)
		asm.Label(label)
		body()
		asm.ADDQ(op.Imm(uint64(set.bytes())), at)
		asm.CMPQ(at, end)
		asm.JB(op.LabelRef(label))
	}
	mean := set.vec()
	set.zero(mean)
	loop("sum", func() {
		v := set.vec()
		asm.VMOVUPS(in(x), v)
		asm.VADDPS(in(residual), v, v)
		asm.VMOVUPS(v, in(x))
		asm.VADDPS(v, mean, mean)
	})
	set.acrossLanes(mean, asm.VADDPS)
	asm.VDIVPS(count, mean, mean)

	by := set.vec()
	set.zero(by)
	loop("squares", func() {
		v := set.vec()
		asm.VMOVUPS(in(x), v)
		asm.VSUBPS(mean, v, v)
		asm.VFMADD231PS(v, v, by)
	})
	set.acrossLanes(by, asm.VADDPS)
	asm.VDIVPS(count, by, by)
	epsilon := set.vec()
	address, err := asm.Param("epsilon").Resolve()
	if err != nil {
		panic(err)
	}
	asm.VBROADCASTSS(address.Addr, epsilon)
	asm.VADDPS(epsilon, by, by)
	asm.VSQRTPS(by, by)
	one := set.constant(1)
	asm.VDIVPS(by, one, by)

	scale, shift := load("scale"), load("shift")
	loop("norm", func() {
		v := set.vec()
		asm.VMOVUPS(in(x), v)
		asm.VSUBPS(mean, v, v)
		asm.VMULPS(by, v, v)
		factor := set.vec()
		asm.VMOVUPS(in(scale), factor)
		asm.VFMADD213PS(in(shift), factor, v) // v*factor + shift
		asm.VMOVUPS(v, in(x))
	})
	asm.VZEROUPPER()
	asm.RET()
}
