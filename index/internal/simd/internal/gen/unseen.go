package main

import (
	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
)

// unseen writes the filter of a graph walk: it copies to out the links whose
// mark is not yet gen, sets the mark, and asks for the first lines of each row
// copied. Whether a link was seen is a coin toss, so nothing branches on it:
// every link is written, and the place moves on only for those unseen.
func unseen() {
	asm.TEXT("unseenAMD64", attr.NOSPLIT,
		"func(links *uint32, count uint64, marks *uint8, limit uint64, gen uint64, out *uint32, chunks **uint8, shift uint64, stride uint64, ahead *uint8) uint64")
	asm.Pragma("noescape")
	asm.Doc("unseenAMD64 filters links; see Unseen.")
	links, end, out := load("links"), load("count"), load("out")
	marks, limit, gen := load("marks"), load("limit"), load("gen")
	rows := loadRows()
	ahead := load("ahead")
	asm.PREFETCHT0(op.Mem{Base: ahead})
	asm.PREFETCHT0(op.Mem{Base: ahead, Disp: 64})
	n, id, fresh := asm.GP64(), asm.GP64(), asm.GP64()
	asm.XORQ(n, n)
	asm.LEAQ(op.Mem{Base: links, Index: end, Scale: 4}, end)

	asm.Label("next")
	asm.CMPQ(links, end)
	asm.JAE(op.LabelRef("done"))
	asm.MOVL(op.Mem{Base: links}, id.As32()) // once: another thread may be writing it
	asm.ADDQ(op.Imm(4), links)
	asm.CMPQ(id, limit)
	asm.JAE(op.LabelRef("beyond"))
	asm.MOVL(id.As32(), op.Mem{Base: out, Index: n, Scale: 4})
	asm.XORL(fresh.As32(), fresh.As32())
	asm.CMPB(gen.As8(), op.Mem{Base: marks, Index: id, Scale: 1})
	asm.SETNE(fresh.As8())
	asm.ADDQ(fresh, n)
	asm.MOVB(gen.As8(), op.Mem{Base: marks, Index: id, Scale: 1})
	rows.locate(id)
	asm.PREFETCHT0(op.Mem{Base: id})
	asm.PREFETCHT0(op.Mem{Base: id, Disp: 64})
	asm.JMP(op.LabelRef("next"))

	asm.Label("beyond")
	asm.CMPL(id.As32(), op.I32(-1))
	asm.JNE(op.LabelRef("next"))

	asm.Label("done")
	asm.Store(n, asm.ReturnIndex(0))
	asm.RET()
}
