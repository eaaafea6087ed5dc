package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sumNibbles writes the scan of blocks of 64 columns: each byte of a line holds
// two numbers below 16, one for a table each, and the entries that they name
// are summed in bytes. The tables fit a register, so a lookup is a shuffle
// ("Cache locality is not enough: high-performance nearest neighbor search with
// product quantization fast scan", André and others, 2015).
func sumNibbles(set isa) {
	asm.TEXT("sumNibbles"+set.name, attr.NOSPLIT,
		"func(tables *uint8, lines uint64, blocks *uint8, count uint64, out *uint8)")
	asm.Pragma("noescape")
	asm.Doc(fmt.Sprintf("sumNibbles%s looks up and sums with %s instructions; see SumNibbles.", set.name, set.name))
	first, lines, blocks, count, out := load("tables"), load("lines"), load("blocks"), load("count"), load("out")
	k := nibbleKernel{isa: set, mask: set.vec()}
	asm.VPBROADCASTB(lowHalf(), k.mask)
	table, left := asm.GP64(), asm.GP64()
	sums := make([]reg.VecVirtual, nibbleColumns/4/set.lanes)

	asm.Label("block")
	asm.TESTQ(count, count)
	asm.JZ(op.LabelRef("done"))
	for i := range sums {
		sums[i] = k.vec()
		asm.VPXOR(sums[i].AsX(), sums[i].AsX(), sums[i].AsX())
	}
	asm.MOVQ(first, table)
	asm.MOVQ(lines, left)
	asm.Label("line")
	k.line(table, blocks, sums)
	asm.ADDQ(op.Imm(32), table)
	asm.ADDQ(op.Imm(nibbleColumns), blocks)
	asm.DECQ(left)
	asm.JNZ(op.LabelRef("line"))

	for i, s := range sums {
		k.store(s, op.Mem{Base: out, Disp: 4 * set.lanes * i})
	}
	asm.ADDQ(op.Imm(nibbleColumns), out)
	asm.DECQ(count)
	asm.JMP(op.LabelRef("block"))

	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}

// nibbleColumns is the columns of a block, and so the bytes of a line.
const nibbleColumns = 64

// lowHalf is the mask of the low half of a byte.
func lowHalf() reg.VecVirtual {
	word, v := asm.GP32(), asm.XMM()
	asm.MOVL(op.U32(0x0f), word)
	asm.VMOVD(word, v)
	return v
}

type nibbleKernel struct {
	isa
	mask reg.VecVirtual
}

// line adds what one line names to the sums. It asks for lines well ahead, since
// blocks are read once, in order.
func (k nibbleKernel) line(table, block reg.GPVirtual, sums []reg.VecVirtual) {
	asm.PREFETCHT0(op.Mem{Base: block, Disp: 2048})
	low, high := k.table(table, 0), k.table(table, 16)
	for i, s := range sums {
		a, b := k.vec(), k.vec()
		from := op.Mem{Base: block, Disp: 4 * k.lanes * i}
		if k.lanes == 16 {
			asm.VMOVDQU64(from, a)
			asm.VPSRLW(op.Imm(4), a, b)
			asm.VPANDQ(k.mask, a, a)
			asm.VPANDQ(k.mask, b, b)
		} else {
			asm.VMOVDQU(from, a)
			asm.VPSRLW(op.Imm(4), a, b)
			asm.VPAND(k.mask, a, a)
			asm.VPAND(k.mask, b, b)
		}
		asm.VPSHUFB(a, low, a)
		asm.VPSHUFB(b, high, b)
		asm.VPADDB(a, s, s)
		asm.VPADDB(b, s, s)
	}
}

// table loads 16 entries into every 16 bytes of a register.
func (k nibbleKernel) table(from reg.GPVirtual, at int) reg.VecVirtual {
	t := k.vec()
	if k.lanes == 16 {
		asm.VBROADCASTI32X4(op.Mem{Base: from, Disp: at}, t)
	} else {
		asm.VBROADCASTI128(op.Mem{Base: from, Disp: at}, t)
	}
	return t
}

func (k nibbleKernel) store(v reg.VecVirtual, to op.Mem) {
	if k.lanes == 16 {
		asm.VMOVDQU64(v, to)
	} else {
		asm.VMOVDQU(v, to)
	}
}

// between writes the choice of bytes in a range: those that, less its low end,
// are not above its width.
func between() {
	asm.TEXT("betweenAVX2", attr.NOSPLIT,
		"func(values *uint8, count uint64, low uint64, span uint64, out *uint64)")
	asm.Pragma("noescape")
	asm.Doc("betweenAVX2 compares; see Between.")
	values, count, out := load("values"), load("count"), load("out")
	var bounds [2]reg.VecVirtual
	for i, name := range []string{"low", "span"} {
		bounds[i] = asm.YMM()
		asm.VMOVQ(load(name), bounds[i].AsX())
		asm.VPBROADCASTB(bounds[i].AsX(), bounds[i])
	}

	asm.Label("next")
	asm.TESTQ(count, count)
	asm.JZ(op.LabelRef("done"))
	var bits [2]reg.GPVirtual
	for i := range bits {
		above, least := asm.YMM(), asm.YMM()
		asm.VMOVDQU(op.Mem{Base: values, Disp: 32 * i}, above)
		asm.VPSUBB(bounds[0], above, above)
		asm.VPMINUB(bounds[1], above, least)
		asm.VPCMPEQB(above, least, least)
		bits[i] = asm.GP64()
		asm.VPMOVMSKB(least, bits[i].As32())
	}
	asm.SHLQ(op.Imm(32), bits[1])
	asm.ORQ(bits[1], bits[0])
	asm.MOVQ(bits[0], op.Mem{Base: out})
	asm.ADDQ(op.Imm(64), values)
	asm.ADDQ(op.Imm(8), out)
	asm.DECQ(count)
	asm.JMP(op.LabelRef("next"))

	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}
