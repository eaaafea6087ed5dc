package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	asm "github.com/mmcloughlin/avo/build"
	op "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set that a kernel is written for.
type isa struct {
	name  string
	lanes int // float32 lanes of one vector register
	vec   func() reg.VecVirtual
}

var (
	avx2   = isa{name: "AVX2", lanes: 8, vec: asm.YMM}
	avx512 = isa{name: "AVX512", lanes: 16, vec: asm.ZMM}
)

// unroll is how many vectors of each row are summed side by side, each into
// its own accumulator: two chains a row hide the latency of the multiply-add.
const unroll = 2

// group is how many rows are scored side by side: the query is loaded once
// for all of them, and their misses overlap.
const group = 4

// gatherFloat writes dotGather: out[i] = q · row(ids[i]).
func gatherFloat(set isa) {
	asm.TEXT("dotGather"+set.name, attr.NOSPLIT,
		"func(q *float32, dim uint64, chunks **uint8, shift uint64, stride uint64, ids *uint32, count uint64, out *float32)")
	asm.Pragma("noescape")
	asm.Doc(fmt.Sprintf("dotGather%s scores rows with %s instructions; see DotGather.", set.name, set.name))
	k := floatKernel{isa: set, q: load("q"), dim: load("dim"), rows: loadRows(), mask: asm.GP64()}
	ids, count, out := load("ids"), load("count"), load("out")
	k.tailMask()

	asm.Label("fours")
	asm.CMPQ(count, op.Imm(group))
	asm.JB(op.LabelRef("ones"))
	k.rows.prefetchNext(ids, count, 4, 8)
	k.score(k.rows.addresses(ids, group), "four", func(sum reg.VecVirtual) { asm.VMOVUPS(sum, op.Mem{Base: out}) })
	asm.ADDQ(op.Imm(4*group), ids)
	asm.ADDQ(op.Imm(4*group), out)
	asm.SUBQ(op.Imm(group), count)
	asm.JMP(op.LabelRef("fours"))

	asm.Label("ones")
	asm.TESTQ(count, count)
	asm.JZ(op.LabelRef("done"))
	k.score(k.rows.addresses(ids, 1), "one", func(sum reg.VecVirtual) { asm.VMOVSS(sum, op.Mem{Base: out}) })
	asm.ADDQ(op.Imm(4), ids)
	asm.ADDQ(op.Imm(4), out)
	asm.DECQ(count)
	asm.JMP(op.LabelRef("ones"))

	asm.Label("done")
	asm.VZEROUPPER()
	asm.RET()
}

// load returns a parameter in a register.
func load(name string) reg.GPVirtual {
	r := asm.GP64()
	asm.Load(asm.Param(name), r)
	return r
}

// rowTable finds rows: row id lies in chunk id>>shift, at its low bits times stride.
type rowTable struct{ chunks, shift, stride reg.GPVirtual }

func loadRows() rowTable {
	return rowTable{chunks: load("chunks"), shift: load("shift"), stride: load("stride")}
}

// addresses returns the first byte of the next n rows in ids.
func (t rowTable) addresses(ids reg.GPVirtual, n int) []reg.GPVirtual {
	rows := make([]reg.GPVirtual, n)
	for i := range rows {
		rows[i] = t.address(op.Mem{Base: ids, Disp: 4 * i})
	}
	return rows
}

func (t rowTable) address(id op.Mem) reg.GPVirtual {
	low := asm.GP64()
	asm.MOVL(id, low.As32())
	t.locate(low)
	return low
}

// locate turns a row number into the row's address.
func (t rowTable) locate(id reg.GPVirtual) {
	chunk := asm.GP64()
	asm.SHRXQ(t.shift, id, chunk)
	asm.BZHIQ(t.shift, id, id)
	asm.IMULQ(t.stride, id)
	asm.ADDQ(op.Mem{Base: t.chunks, Index: chunk, Scale: 8}, id)
}

// prefetchNext asks for the group after the next one, if it is whole: the first
// lines of its rows, and more if rows are long.
func (t rowTable) prefetchNext(ids, count reg.GPVirtual, lines, more int) {
	asm.CMPQ(count, op.Imm(3*group))
	asm.JB(op.LabelRef("noprefetch"))
	rows := make([]reg.GPVirtual, group)
	for i := range rows {
		rows[i] = t.address(op.Mem{Base: ids, Disp: 4 * (2*group + i)})
	}
	prefetch := func(from, to int) {
		for _, row := range rows {
			for line := from; line < to; line++ {
				asm.PREFETCHT0(op.Mem{Base: row, Disp: 64 * line})
			}
		}
	}
	prefetch(0, lines)
	if more > lines {
		asm.CMPQ(t.stride, op.U32(64*uint32(more)))
		asm.JB(op.LabelRef("noprefetch"))
		prefetch(lines, more)
	}
	asm.Label("noprefetch")
}

// floatKernel holds what stays the same over all rows of a call.
type floatKernel struct {
	isa
	q, dim   reg.GPVirtual
	rows     rowTable
	mask     reg.GPVirtual // bits of the tail's lanes, or the address of its mask words
	tailBits reg.OpmaskVirtual
	tailVec  reg.VecVirtual
}

// tailMask prepares the mask of the dim%lanes last elements of a row.
func (k *floatKernel) tailMask() {
	tail := asm.GP64()
	asm.MOVQ(k.dim, tail)
	asm.ANDQ(op.Imm(uint64(k.lanes-1)), tail)
	if k.lanes == 16 {
		asm.MOVQ(op.I32(-1), k.mask)
		asm.BZHIQ(tail, k.mask, k.mask)
		k.tailBits = asm.K()
		asm.KMOVW(k.mask.As32(), k.tailBits)
		return
	}
	words := asm.GLOBL("tailMask", attr.RODATA|attr.NOPTR)
	for i := range 8 {
		asm.DATA(4*i, op.U32(^uint32(0)))
	}
	for i := range 8 {
		asm.DATA(32+4*i, op.U32(0))
	}
	asm.LEAQ(words, k.mask)
	asm.NEGQ(tail)
	asm.LEAQ(op.Mem{Base: k.mask, Index: tail, Scale: 4, Disp: 32}, k.mask)
	k.tailVec = asm.YMM()
	asm.VMOVUPS(op.Mem{Base: k.mask}, k.tailVec)
}

// score sums q times each of rows and hands the sums, packed, to store. The
// order of the additions is the same for one row as for four, so a row's score
// does not depend on its place in ids.
func (k *floatKernel) score(rows []reg.GPVirtual, label string, store func(reg.VecVirtual)) {
	acc := make([][unroll]reg.VecVirtual, len(rows))
	for r := range rows {
		for u := range unroll {
			acc[r][u] = k.vec()
			asm.VXORPS(acc[r][u].AsX(), acc[r][u].AsX(), acc[r][u].AsX())
		}
	}
	offset, left := asm.GP64(), asm.GP64()
	asm.XORQ(offset, offset)
	asm.MOVQ(k.dim, left)
	k.wide(rows, acc, offset, left, label, unroll)
	k.wide(rows, acc, offset, left, label, 1)
	k.tail(rows, acc, offset, left, label)
	for r := range rows {
		asm.VADDPS(acc[r][1], acc[r][0], acc[r][0])
	}
	store(k.reduce(acc))
}

// wide consumes steps of n whole vectors.
func (k *floatKernel) wide(rows []reg.GPVirtual, acc [][unroll]reg.VecVirtual, offset, left reg.GPVirtual, label string, n int) {
	loop, end := fmt.Sprintf("%s_by%d", label, n), fmt.Sprintf("%s_by%d_end", label, n)
	asm.Label(loop)
	asm.CMPQ(left, op.Imm(uint64(n*k.lanes)))
	asm.JB(op.LabelRef(end))
	for u := range n {
		query := k.vec()
		at := 4 * k.lanes * u
		asm.VMOVUPS(op.Mem{Base: k.q, Index: offset, Scale: 4, Disp: at}, query)
		for r := range rows {
			asm.VFMADD231PS(op.Mem{Base: rows[r], Index: offset, Scale: 4, Disp: at}, query, acc[r][u])
		}
	}
	asm.ADDQ(op.Imm(uint64(n*k.lanes)), offset)
	asm.SUBQ(op.Imm(uint64(n*k.lanes)), left)
	asm.JMP(op.LabelRef(loop))
	asm.Label(end)
}

// tail consumes the last elements, fewer than a vector, under the mask.
func (k *floatKernel) tail(rows []reg.GPVirtual, acc [][unroll]reg.VecVirtual, offset, left reg.GPVirtual, label string) {
	end := label + "_tail_end"
	asm.TESTQ(left, left)
	asm.JZ(op.LabelRef(end))
	query := k.vec()
	k.masked(op.Mem{Base: k.q, Index: offset, Scale: 4}, query)
	for r := range rows {
		part := k.vec()
		k.masked(op.Mem{Base: rows[r], Index: offset, Scale: 4}, part)
		asm.VFMADD231PS(part, query, acc[r][0])
	}
	asm.Label(end)
}

func (k *floatKernel) masked(from op.Mem, to reg.VecVirtual) {
	if k.lanes == 16 {
		asm.VMOVUPS_Z(from, k.tailBits, to)
		return
	}
	asm.VMASKMOVPS(from, k.tailVec, to)
}

// reduce adds up the lanes of the first accumulator of each row.
func (k *floatKernel) reduce(acc [][unroll]reg.VecVirtual) reg.VecVirtual {
	half := make([]reg.VecVirtual, group)
	for r := range half {
		if r >= len(acc) {
			half[r] = half[0] // a lone row: the other places are not stored
			continue
		}
		half[r] = asm.YMM()
		if k.lanes == 16 {
			asm.VEXTRACTF32X8(op.Imm(1), acc[r][0], half[r])
			asm.VADDPS(half[r], acc[r][0].AsY(), half[r])
			continue
		}
		asm.VMOVAPS(acc[r][0], half[r])
	}
	a, b, high := asm.YMM(), asm.YMM(), asm.XMM()
	asm.VHADDPS(half[1], half[0], a)
	asm.VHADDPS(half[3], half[2], b)
	asm.VHADDPS(b, a, a)
	asm.VEXTRACTF128(op.Imm(1), a, high)
	asm.VADDPS(high, a.AsX(), high)
	return high
}
