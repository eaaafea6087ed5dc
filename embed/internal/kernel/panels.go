package kernel

import "fmt"

// Panels is a matrix [k, n] packed for products with rows on its left, and a bias
// that is added to each row of a product. It is read only once packed, and then safe
// for concurrent use.
type Panels struct {
	k, n  int
	width int       // columns of a panel
	data  []float32 // [panels, k, width], zeros past column n
	bias  []float32 // [panels, width]
}

// Pack packs the transpose of rows, [n, k] with stride elements from row to row, as
// PyTorch keeps the weights of a linear layer. Bias has n elements, or none.
func Pack(rows []float32, n, k, stride int, bias []float32) Panels {
	var p Panels
	p.PackTransposed(rows, n, k, stride)
	copy(p.bias, bias)
	return p
}

// resize makes room for a matrix, reusing the memory.
func (p *Panels) resize(k, n int) {
	p.k, p.n, p.width = k, n, active.width()
	panels := p.Count()
	p.data = grow(p.data, panels*k*p.width)
	p.bias = grow(p.bias, panels*p.width)
	clear(p.bias)
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// Count is the number of panels.
func (p *Panels) Count() int { return divideUp(p.n, p.width) }

// SetBias sets the bias of a packed matrix, of n elements or none.
func (p *Panels) SetBias(bias []float32) {
	clear(p.bias[copy(p.bias, bias):])
}

// PackTransposed packs like [Pack], into the memory of p, without a bias.
func (p *Panels) PackTransposed(rows []float32, n, k, stride int) {
	p.resize(k, n)
	for first := 0; first < n; first += p.width {
		panel := p.data[first*k:][:k*p.width]
		for column := range p.width {
			if first+column >= n {
				for i := range k {
					panel[i*p.width+column] = 0
				}
				continue
			}
			row := rows[(first+column)*stride:][:k]
			for i, x := range row {
				panel[i*p.width+column] = x
			}
		}
	}
}

// PackRows packs rows, [k, n] with stride elements from row to row, as it is, into
// the memory of p, without a bias.
func (p *Panels) PackRows(rows []float32, k, n, stride int) {
	p.resize(k, n)
	for first := 0; first < n; first += p.width {
		panel := p.data[first*k:][:k*p.width]
		columns := min(p.width, n-first)
		for i := range k {
			into := panel[i*p.width:][:p.width]
			copy(into, rows[i*stride+first:][:columns])
			clear(into[columns:])
		}
	}
}

// tileRows is the most rows of a tile under any instruction set.
const tileRows = 12

// rowBlock is how many rows pass a panel before the next panel comes: few enough for
// them to stay in the second level cache, many enough that the panels' way from
// memory is paid for.
const rowBlock = 96

// Multiply sets the columns of panels from to to-1 of c, [m, n] with ldc elements from
// row to row, to a times the packed matrix plus its bias. The rows of a have k
// elements and are lda apart. Calls for distinct panels may run at once.
func (p *Panels) Multiply(c []float32, ldc int, a []float32, lda, m, from, to int) {
	p.product(c, ldc, Left{a, lda, 1}, m, from, to, false)
}

// Add adds to the columns of panels from to to-1 of c the product of a, of m rows, and
// the packed matrix, without its bias. Calls for distinct panels or for distinct rows
// of c may run at once.
func (p *Panels) Add(c []float32, ldc int, a Left, m, from, to int) {
	p.product(c, ldc, a, m, from, to, true)
}

// Set sets the columns of panels from to to-1 of c to the product of a, of m rows, and
// the packed matrix plus its bias: [Panels.Multiply] for a left side in any order.
func (p *Panels) Set(c []float32, ldc int, a Left, m, from, to int) {
	p.product(c, ldc, a, m, from, to, false)
}

// Left is the left side of a product: element [r, i] is Data[r*Row + i*Step]. A matrix
// that lies row by row has Step 1, the transpose of one has Row 1.
type Left struct {
	Data      []float32
	Row, Step int
}

// end is how many elements m rows of k elements reach over.
func (a Left) end(m, k int) int { return (m-1)*a.Row + (k-1)*a.Step + 1 }

func (p *Panels) product(c []float32, ldc int, a Left, m, from, to int, add bool) {
	if m == 0 || from == to {
		return
	}
	p.check(c, ldc, a, m, from, to)
	for first := 0; first < m; first += rowBlock {
		last := min(first+rowBlock, m)
		for panel := from; panel < to; panel++ {
			p.block(c, ldc, a, first, last, panel, add)
		}
	}
}

// check panics unless all that the assembly touches lies within the slices.
func (p *Panels) check(c []float32, ldc int, a Left, m, from, to int) {
	end := min(to*p.width, p.n)
	if from < 0 || to > p.Count() || ldc < end || a.Row < 1 || a.Step < 1 || len(c) < (m-1)*ldc+end || len(a.Data) < a.end(m, p.k) ||
		len(p.data) < p.Count()*p.k*p.width || len(p.bias) < p.Count()*p.width {
		panic(fmt.Sprintf("kernel: product of %d rows with [%d, %d], panels %d to %d, strides %d, %d and %d, of slices of %d and %d", m, p.k, p.n, from, to, a.Row, a.Step, ldc, len(a.Data), len(c)))
	}
}

// block multiplies rows first to last-1 with one panel, in tiles of about one height.
func (p *Panels) block(c []float32, ldc int, a Left, first, last, panel int, add bool) {
	t := operands{row: a.Row, step: a.Step, next: p.width, ldc: ldc}
	t.data, t.start = p.data[panel*p.k*p.width:], p.bias[panel*p.width:]
	column := panel * p.width
	tiles := divideUp(last-first, active.rows())
	for i := range tiles {
		row := first + (last-first)*i/tiles
		rows := first + (last-first)*(i+1)/tiles - row
		t.a, t.c = a.Data[row*a.Row:], c[row*ldc+column:]
		if add {
			t.start, t.startRow = t.c, ldc
		}
		if p.n-column >= p.width {
			tile(rows, p.k, &t)
			continue
		}
		t.edge(rows, p.k, p.n-column, p.width, add)
	}
}

func divideUp(a, b int) int { return (a + b - 1) / b }

// edge computes a tile of the last panel, of which columns are wanted.
func (t *operands) edge(rows, k, columns, width int, add bool) {
	var whole [tileRows * maxWidth]float32
	wide := *t
	wide.c, wide.ldc = whole[:], width
	if add {
		for r := range rows {
			copy(whole[r*width:][:columns], t.c[r*t.ldc:])
		}
		wide.start, wide.startRow = whole[:], width
	}
	tile(rows, k, &wide)
	for r := range rows {
		copy(t.c[r*t.ldc:][:columns], whole[r*width:])
	}
}

// Columns are the first column of panel from and the one after the last of panel to-1.
func (p *Panels) Columns(from, to int) (first, last int) {
	return min(from*p.width, p.n), min(to*p.width, p.n)
}

// Between are the panels of the columns of parts from to to-1, of size columns each, and
// whether no panel holds columns of two parts.
func (p *Panels) Between(from, to, size int) (first, last int, apart bool) {
	if size%p.width != 0 {
		return 0, 0, false
	}
	return from * size / p.width, to * size / p.width, true
}
