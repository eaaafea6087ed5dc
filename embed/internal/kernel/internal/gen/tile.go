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
	set.text("tile", "func(rows, k uint64, a *float32, row, step uint64, data *float32, next uint64, start *float32, startRow uint64, c *float32, ldc uint64)",
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
	sums := s.start(n)
	a, row, step, data, next, k := load("a"), load("row"), load("step"), load("data"), load("next"), load("k")
	for _, stride := range []reg.GPVirtual{row, step, next} {
		asm.SHLQ(op.Imm(2), stride)
	}
	at := rowAddresses(a, row, n)
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
		asm.ADDQ(step, base)
	}
	asm.ADDQ(next, data)
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

// start loads what n rows' sums begin with.
func (s isa) start(n int) [][2]reg.VecVirtual {
	from, row := load("start"), load("startRow")
	asm.SHLQ(op.Imm(2), row)
	sums := make([][2]reg.VecVirtual, n)
	for i := range sums {
		if i > 0 {
			asm.ADDQ(row, from)
		}
		for half := range 2 {
			sums[i][half] = s.vec()
			asm.VMOVUPS(op.Mem{Base: from, Disp: half * s.bytes()}, sums[i][half])
		}
	}
	return sums
}

// rowAddresses gives the places of n rows' elements: three rows to a register.
func rowAddresses(a, row reg.GPVirtual, n int) []op.Mem {
	at := make([]op.Mem, n)
	base := a
	for i := range at {
		switch i % 3 {
		case 0:
			if i > 0 {
				next := asm.GP64()
				asm.LEAQ(op.Mem{Base: base, Index: row, Scale: 2}, next)
				asm.ADDQ(row, next)
				base = next
			}
			at[i] = op.Mem{Base: base}
		case 1:
			at[i] = op.Mem{Base: base, Index: row, Scale: 1}
		case 2:
			at[i] = op.Mem{Base: base, Index: row, Scale: 2}
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
