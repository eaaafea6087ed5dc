package main

import (
	"fmt"

	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tiles writes the products of 1 to tileRows rows with a panel of two registers'
// width, each with a loop of its own.
func tiles(set isa) {
	set.text("tile", "func(rows, k uint64, a *float32, lda uint64, data, bias, c *float32, ldc uint64)",
		"does what tilePlain does, for as many rows as fit.")
	rows := load("rows")
	for n := set.tileRows; n > 1; n-- {
		asm.CMPQ(rows, op.Imm(uint64(n)))
		asm.JEQ(op.LabelRef(fmt.Sprintf("rows%d", n)))
	}
	for n := 1; n <= set.tileRows; n++ {
		asm.Label(fmt.Sprintf("rows%d", n))
		set.tile(n)
	}
}

// ahead is how many bytes of a panel are asked for before they are needed: weights of a
// short text come from memory, and the processor alone asks for too few at a time.
const ahead = 8192

// tile writes the product of n rows with a panel. A row's element is broadcast once
// and multiplied with both halves of the panel's row.
func (s isa) tile(n int) {
	a, lda, data, bias, k := load("a"), load("lda"), load("data"), load("bias"), load("k")
	asm.SHLQ(op.Imm(2), lda)
	at := rowAddresses(a, lda, n)

	sums := make([][2]reg.VecVirtual, n)
	for half := range 2 {
		sums[0][half] = s.vec()
		asm.VMOVUPS(op.Mem{Base: bias, Disp: half * s.bytes()}, sums[0][half])
	}
	for i := 1; i < n; i++ {
		for half := range 2 {
			sums[i][half] = s.vec()
			asm.VMOVAPS(sums[0][half], sums[i][half])
		}
	}
	loop := fmt.Sprintf("loop%d", n)
	asm.Label(loop)
	left, right := s.vec(), s.vec()
	asm.VMOVUPS(op.Mem{Base: data}, left)
	asm.VMOVUPS(op.Mem{Base: data, Disp: s.bytes()}, right)
	for line := 0; line < 2*s.bytes(); line += 64 {
		asm.PREFETCHT0(op.Mem{Base: data, Disp: ahead + line})
	}
	for i, sum := range sums {
		x := s.vec()
		asm.VBROADCASTSS(at[i], x)
		asm.VFMADD231PS(left, x, sum[0])
		asm.VFMADD231PS(right, x, sum[1])
	}
	for _, base := range bases(at) {
		asm.ADDQ(op.Imm(4), base)
	}
	asm.ADDQ(op.U32(uint32(2*s.bytes())), data)
	asm.DECQ(k)
	asm.JNZ(op.LabelRef(loop))

	c, ldc := load("c"), load("ldc")
	asm.SHLQ(op.Imm(2), ldc)
	for i, sum := range sums {
		if i > 0 {
			asm.ADDQ(ldc, c)
		}
		asm.VMOVUPS(sum[0], op.Mem{Base: c})
		asm.VMOVUPS(sum[1], op.Mem{Base: c, Disp: s.bytes()})
	}
	asm.VZEROUPPER()
	asm.RET()
}

// rowAddresses gives the places of n rows' elements: three rows to a register.
func rowAddresses(a, lda reg.GPVirtual, n int) []op.Mem {
	at := make([]op.Mem, n)
	base := a
	for i := range at {
		switch i % 3 {
		case 0:
			if i > 0 {
				next := asm.GP64()
				asm.LEAQ(op.Mem{Base: base, Index: lda, Scale: 2}, next)
				asm.ADDQ(lda, next)
				base = next
			}
			at[i] = op.Mem{Base: base}
		case 1:
			at[i] = op.Mem{Base: base, Index: lda, Scale: 1}
		case 2:
			at[i] = op.Mem{Base: base, Index: lda, Scale: 2}
		}
	}
	return at
}

// bases are the registers of rowAddresses.
func bases(at []op.Mem) (registers []reg.Register) {
	for i := 0; i < len(at); i += 3 {
		registers = append(registers, at[i].Base)
	}
	return registers
}
