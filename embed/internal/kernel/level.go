package kernel

// level is an instruction set that kernels exist for, worst first.
type level int

const (
	portable level = iota
	levelAVX2
	levelAVX512
)

// maxWidth is the widest panel under any instruction set.
const maxWidth = 32

// width is the number of columns of a panel: two vector registers.
func (l level) width() int { return [...]int{8, 16, 32}[l] }

// rows is the most rows of a tile, as many as there are registers for.
func (l level) rows() int { return [...]int{4, 6, 12}[l] }

// Name says which instruction set runs: avx512, avx2 or portable.
func Name() string { return [...]string{"portable", "avx2", "avx512"}[active] }
