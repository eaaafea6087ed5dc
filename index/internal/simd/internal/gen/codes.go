package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codeBlock is how many bytes of a row one step takes. Rows of codes are padded
// to a multiple of it, so there is no tail.
const codeBlock = 64

var vnni = isa{name: "VNNI", lanes: 16, vec: asm.ZMM}

// gatherCodes writes dotCodes: out[i] = q · row(ids[i]), q of signed and rows
// of unsigned bytes, exact in int32.
func gatherCodes(set isa) {
	asm.TEXT("dotCodes"+set.name, attr.NOSPLIT,
		"func(q *int8, dim uint64, chunks **uint8, shift uint64, stride uint64, ids *uint32, count uint64, out *int32)")
	asm.Pragma("noescape")
	asm.Doc(fmt.Sprintf("dotCodes%s scores rows with %s instructions; see DotCodes.", set.name, set.name))
	k := codeKernel{isa: set, q: load("q"), dim: load("dim")}
	rows := loadRows()
	ids, count, out := load("ids"), load("count"), load("out")

	asm.Label("fours")
	asm.CMPQ(count, op.Imm(group))
	asm.JB(op.LabelRef("ones"))
	rows.prefetchNext(ids, count, 2, 0)
	k.score(rows.addresses(ids, group), "four", func(sum reg.VecVirtual) { asm.VMOVDQU(sum, op.Mem{Base: out}) })
	asm.ADDQ(op.Imm(4*group), ids)
	asm.ADDQ(op.Imm(4*group), out)
	asm.SUBQ(op.Imm(group), count)
	asm.JMP(op.LabelRef("fours"))

	asm.Label("ones")
	asm.TESTQ(count, count)
	asm.JZ(op.LabelRef("done"))
	k.score(rows.addresses(ids, 1), "one", func(sum reg.VecVirtual) { asm.VMOVD(sum, op.Mem{Base: out}) })
	asm.ADDQ(op.Imm(4), ids)
	asm.ADDQ(op.Imm(4), out)
	asm.DECQ(count)
	asm.JMP(op.LabelRef("ones"))

	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}

// codeKernel holds what stays the same over all rows of a call.
type codeKernel struct {
	isa
	q, dim reg.GPVirtual
}

func (k *codeKernel) score(rows []reg.GPVirtual, label string, store func(reg.VecVirtual)) {
	acc := make([]reg.VecVirtual, len(rows))
	for r := range rows {
		acc[r] = k.vec()
		asm.VPXOR(acc[r].AsX(), acc[r].AsX(), acc[r].AsX())
	}
	offset := asm.GP64()
	asm.XORQ(offset, offset)
	asm.Label(label)
	if k.lanes == 16 {
		k.stepVNNI(rows, acc, offset)
	} else {
		k.stepAVX2(rows, acc, offset)
	}
	asm.ADDQ(op.Imm(codeBlock), offset)
	asm.CMPQ(offset, k.dim)
	asm.JB(op.LabelRef(label))
	store(k.reduce(acc))
}

func (k *codeKernel) stepVNNI(rows []reg.GPVirtual, acc []reg.VecVirtual, offset reg.GPVirtual) {
	query := asm.ZMM()
	asm.VMOVDQU64(op.Mem{Base: k.q, Index: offset, Scale: 1}, query)
	for r := range rows {
		row := asm.ZMM()
		asm.VMOVDQU64(op.Mem{Base: rows[r], Index: offset, Scale: 1}, row)
		vpdpbusd(query, row, acc[r])
	}
}

// vpdpbusd adds to each int32 lane of sum the inner product of four signed
// bytes of s and four unsigned bytes of u. This avo has no constructor for it.
func vpdpbusd(s, u, sum reg.VecVirtual) {
	asm.Instruction(&ir.Instruction{
		Opcode:   "VPDPBUSD",
		Operands: []op.Op{s, u, sum},
		Inputs:   []op.Op{s, u, sum},
		Outputs:  []op.Op{sum},
		ISA:      []string{"AVX512_VNNI"},
	})
}

// stepAVX2 widens bytes to 16 bits first: the instruction that multiplies
// bytes directly saturates.
func (k *codeKernel) stepAVX2(rows []reg.GPVirtual, acc []reg.VecVirtual, offset reg.GPVirtual) {
	for at := 0; at < codeBlock; at += 16 {
		query := asm.YMM()
		asm.VPMOVSXBW(op.Mem{Base: k.q, Index: offset, Scale: 1, Disp: at}, query)
		for r := range rows {
			row := asm.YMM()
			asm.VPMOVZXBW(op.Mem{Base: rows[r], Index: offset, Scale: 1, Disp: at}, row)
			asm.VPMADDWD(query, row, row)
			asm.VPADDD(row, acc[r], acc[r])
		}
	}
}

func (k *codeKernel) reduce(acc []reg.VecVirtual) reg.VecVirtual {
	half := make([]reg.VecVirtual, group)
	for r := range half {
		if r >= len(acc) {
			half[r] = half[0] // a lone row: the other places are not stored
			continue
		}
		half[r] = acc[r]
		if k.lanes == 16 {
			half[r] = asm.YMM()
			asm.VEXTRACTI64X4(op.Imm(1), acc[r], half[r])
			asm.VPADDD(half[r], acc[r].AsY(), half[r])
		}
	}
	a, b, high := asm.YMM(), asm.YMM(), asm.XMM()
	asm.VPHADDD(half[1], half[0], a)
	asm.VPHADDD(half[3], half[2], b)
	asm.VPHADDD(b, a, a)
	asm.VEXTRACTI128(op.Imm(1), a, high)
	asm.VPADDD(high, a.AsX(), high)
	return high
}
