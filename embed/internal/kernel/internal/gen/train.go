package main

import (
	"math"

	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elements runs body for each register of elements of arrays of n elements, a multiple
// of 16. Body gets a function that gives an array's place.
func (s isa) elements(label string, n reg.GPVirtual, body func(in func(reg.GPVirtual) op.Mem)) {
	at, end := asm.GP64(), asm.GP64() // bytes from the beginning
	asm.MOVQ(n, end)
	asm.SHLQ(op.Imm(2), end)
	asm.XORQ(at, at)
	asm.Label(label)
	body(func(base reg.GPVirtual) op.Mem { return op.Mem{Base: base, Index: at, Scale: 1} })
	asm.ADDQ(op.Imm(uint64(s.bytes())), at)
	asm.CMPQ(at, end)
	asm.JB(op.LabelRef(label))
}

// broadcast is a parameter in every lane.
func (s isa) broadcast(name string) reg.VecVirtual {
	address, err := asm.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := s.vec()
	asm.VBROADCASTSS(address.Addr, v)
	return v
}

func (s isa) read(at op.Mem) reg.VecVirtual {
	v := s.vec()
	asm.VMOVUPS(at, v)
	return v
}

func finish() {
	asm.VZEROUPPER()
	asm.RET()
}

// axpy writes y + a x to y.
func axpy(set isa) {
	set.text("axpy", "func(y, x *float32, n uint64, a float32)", "does what axpyPlain does, for a multiple of 16.")
	y, x, n, a := load("y"), load("x"), load("n"), set.broadcast("a")
	set.elements("axpy", n, func(in func(reg.GPVirtual) op.Mem) {
		sum := set.read(in(y))
		asm.VFMADD231PS(in(x), a, sum)
		asm.VMOVUPS(sum, in(y))
	})
	finish()
}

// scale writes a x to x.
func scale(set isa) {
	set.text("scale", "func(x *float32, n uint64, a float32)", "does what scalePlain does, for a multiple of 16.")
	x, n, a := load("x"), load("n"), set.broadcast("a")
	set.elements("scale", n, func(in func(reg.GPVirtual) op.Mem) {
		v := set.vec()
		asm.VMULPS(in(x), a, v)
		asm.VMOVUPS(v, in(x))
	})
	finish()
}

// dot returns the inner product.
func dot(set isa) {
	set.text("dot", "func(x, y *float32, n uint64) (sum float32)", "does what dotPlain does, for a multiple of 16.")
	x, y, n := load("x"), load("y"), load("n")
	sum := set.vec()
	set.zero(sum)
	set.elements("dot", n, func(in func(reg.GPVirtual) op.Mem) {
		asm.VFMADD231PS(in(y), set.read(in(x)), sum)
	})
	set.acrossLanes(sum, asm.VADDPS)
	asm.Store(sum.AsX(), asm.ReturnIndex(0))
	finish()
}

// geluGrad multiplies d by the slope of GELU at x: the normal distribution's share below
// x, plus x times its density.
func geluGrad(set isa) {
	set.text("geluGrad", "func(d, x *float32, n uint64)", "does what geluGradPlain does, for a multiple of 16.")
	d, x, n := load("d"), load("x"), load("n")
	set.elements("geluGrad", n, func(in func(reg.GPVirtual) op.Mem) {
		v := set.read(in(x))
		z, square := set.vec(), set.vec()
		asm.VMULPS(set.constant(1/math.Sqrt2), v, z)
		asm.VMINPS(set.constant(4), z, z)
		asm.VMAXPS(set.constant(-4), z, z)
		asm.VMULPS(z, z, square)
		above, below := set.polynomial(erfAbove, square), set.polynomial(erfBelow, square)
		asm.VMULPS(z, above, above)
		asm.VDIVPS(below, above, above)
		half := set.constant(0.5)
		asm.VFMADD213PS(half, half, above) // the share below x
		power := set.vec()
		asm.VMULPS(v, v, power)
		asm.VMULPS(set.constant(-0.5), power, power)
		density := set.exp(power)
		asm.VMULPS(set.constant(float32(1/math.Sqrt(2*math.Pi))), density, density)
		asm.VFMADD231PS(v, density, above)
		asm.VMULPS(in(d), above, above)
		asm.VMOVUPS(above, in(d))
	})
	finish()
}

// norm writes the layer norm of x to y and what it is before scale and shift to unit, and
// returns what that was multiplied by.
func norm(set isa) {
	set.text("norm", "func(y, unit, x, scale, shift *float32, n uint64, epsilon float32) (by float32)", "does what normPlain does, for a multiple of 16.")
	x, unit, n := load("x"), load("unit"), load("n")
	count := set.vec() // the length, in every lane
	asm.VCVTSI2SSQ(n, count.AsX(), count.AsX())
	asm.VBROADCASTSS(count.AsX(), count)
	mean := set.vec()
	set.zero(mean)
	set.elements("sum", n, func(in func(reg.GPVirtual) op.Mem) { asm.VADDPS(in(x), mean, mean) })
	set.acrossLanes(mean, asm.VADDPS)
	asm.VDIVPS(count, mean, mean)
	by := set.vec()
	set.zero(by)
	set.elements("squares", n, func(in func(reg.GPVirtual) op.Mem) {
		v := set.read(in(x))
		asm.VSUBPS(mean, v, v)
		asm.VFMADD231PS(v, v, by)
	})
	set.acrossLanes(by, asm.VADDPS)
	asm.VDIVPS(count, by, by)
	asm.VADDPS(set.broadcast("epsilon"), by, by)
	asm.VSQRTPS(by, by)
	asm.VDIVPS(by, set.constant(1), by)
	scale, shift, y := load("scale"), load("shift"), load("y")
	set.elements("norm", n, func(in func(reg.GPVirtual) op.Mem) {
		v := set.read(in(x))
		asm.VSUBPS(mean, v, v)
		asm.VMULPS(by, v, v)
		asm.VMOVUPS(v, in(unit))
		factor := set.read(in(scale))
		asm.VFMADD213PS(in(shift), factor, v) // v*factor + shift
		asm.VMOVUPS(v, in(y))
	})
	asm.Store(by.AsX(), asm.ReturnIndex(0))
	finish()
}

// normGrad replaces the gradient of a layer norm's result by that of its argument.
func normGrad(set isa) {
	set.text("normGrad", "func(d, unit, scale *float32, n uint64, by float32)", "does what normGradPlain does, for a multiple of 16.")
	d, unit, scale, n, by := load("d"), load("unit"), load("scale"), load("n"), set.broadcast("by")
	count := set.vec()
	asm.VCVTSI2SSQ(n, count.AsX(), count.AsX())
	asm.VBROADCASTSS(count.AsX(), count)
	mean, along := set.vec(), set.vec()
	set.zero(mean)
	set.zero(along)
	set.elements("means", n, func(in func(reg.GPVirtual) op.Mem) {
		g := set.read(in(d))
		asm.VMULPS(in(scale), g, g)
		asm.VADDPS(g, mean, mean)
		asm.VFMADD231PS(in(unit), g, along)
	})
	for _, v := range []reg.VecVirtual{mean, along} {
		set.acrossLanes(v, asm.VADDPS)
		asm.VDIVPS(count, v, v)
	}
	set.elements("grad", n, func(in func(reg.GPVirtual) op.Mem) {
		g := set.read(in(d))
		asm.VMULPS(in(scale), g, g)
		asm.VSUBPS(mean, g, g)
		asm.VFNMADD231PS(in(unit), along, g)
		asm.VMULPS(by, g, g)
		asm.VMOVUPS(g, in(d))
	})
	finish()
}

// addProduct writes sum + x y to sum.
func addProduct(set isa) {
	set.text("addProduct", "func(sum, x, y *float32, n uint64)", "does what addProductPlain does, for a multiple of 16.")
	sum, x, y, n := load("sum"), load("x"), load("y"), load("n")
	set.elements("addProduct", n, func(in func(reg.GPVirtual) op.Mem) {
		v, by := set.read(in(sum)), set.read(in(x))
		asm.VFMADD231PS(in(y), by, v)
		asm.VMOVUPS(v, in(sum))
	})
	finish()
}

// dropout zeroes or scales each element by a hash of its number.
func dropout(set isa) {
	set.text("dropout", "func(x *float32, n uint64, low, high, first, threshold uint32, scale float32)", "does what dropoutPlain does, for a multiple of 16.")
	x, n := load("x"), load("n")
	low, high, number, threshold, by := set.broadcast("low"), set.broadcast("high"), set.broadcast("first"), set.broadcast("threshold"), set.broadcast("scale")
	ordinals := asm.GLOBL("ordinals"+set.name, attrData)
	for i := range set.lanes {
		asm.DATA(4*i, op.U32(uint32(i)))
	}
	asm.VPADDD(ordinals, number, number)
	set.elements("dropout", n, func(in func(reg.GPVirtual) op.Mem) {
		h, t := set.vec(), set.vec()
		shifted := func(by uint64) {
			asm.VPSRLD(op.Imm(by), h, t)
			asm.VXORPS(t, h, h)
		}
		asm.VPMULLD(set.bits(0x9e3779b1), number, h)
		asm.VPADDD(low, h, h)
		shifted(16)
		asm.VPMULLD(set.bits(0x7feb352d), h, h)
		shifted(15)
		asm.VXORPS(high, h, h)
		asm.VPMULLD(set.bits(0x846ca68b), h, h)
		shifted(16)
		asm.VPSRLD(op.Imm(1), h, h)
		asm.VPSUBD(threshold, h, h) // negative: dropped
		asm.VPSRAD(op.Imm(31), h, h)
		v := set.vec()
		asm.VMULPS(in(x), by, v)
		asm.VANDNPS(v, h, v)
		asm.VMOVUPS(v, in(x))
		asm.VPADDD(set.bits(uint32(set.lanes)), number, number)
	})
	finish()
}

// adam makes one step of Adam with decoupled weight decay.
func adam(set isa) {
	set.text("adam", "func(w, grad, m, v *float32, n uint64, c *float32)", "does what adamPlain does, for a multiple of 16.")
	w, g, m, v, n, c := load("w"), load("grad"), load("m"), load("v"), load("n"), load("c")
	var constants [9]reg.VecVirtual
	for i := range constants {
		constants[i] = set.vec()
		asm.VBROADCASTSS(op.Mem{Base: c, Disp: 4 * i}, constants[i])
	}
	gradScale, keep1, take1, keep2, take2 := constants[0], constants[1], constants[2], constants[3], constants[4]
	root, epsilon, rate, decay := constants[5], constants[6], constants[7], constants[8]
	set.elements("adam", n, func(in func(reg.GPVirtual) op.Mem) {
		grad := set.vec()
		asm.VMULPS(in(g), gradScale, grad)
		first, second := set.vec(), set.vec()
		asm.VMULPS(in(m), keep1, first)
		asm.VFMADD231PS(take1, grad, first)
		asm.VMOVUPS(first, in(m))
		asm.VMULPS(in(v), keep2, second)
		asm.VMULPS(grad, grad, grad)
		asm.VFMADD231PS(take2, grad, second)
		asm.VMOVUPS(second, in(v))
		asm.VSQRTPS(second, second)
		asm.VFMADD213PS(epsilon, root, second) // second*root + epsilon
		asm.VMULPS(rate, first, first)
		asm.VDIVPS(second, first, first)
		weight := set.vec()
		asm.VMULPS(in(w), decay, weight)
		asm.VSUBPS(first, weight, weight)
		asm.VMOVUPS(weight, in(w))
	})
	finish()
}
