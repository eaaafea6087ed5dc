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
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// Count is the number of panels.
func (p *Panels) Count() int { return (p.n + p.width - 1) / p.width }

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
	if m == 0 || from == to {
		return
	}
	p.check(c, ldc, a, lda, m, from, to)
	for first := 0; first < m; first += rowBlock {
		last := min(first+rowBlock, m)
		for panel := from; panel < to; panel++ {
			p.block(c, ldc, a, lda, first, last, panel)
		}
	}
}

// check panics unless all that the assembly touches lies within the slices.
func (p *Panels) check(c []float32, ldc int, a []float32, lda, m, from, to int) {
	end := min(to*p.width, p.n)
	if from < 0 || to > p.Count() || ldc < p.n || lda < p.k || len(c) < (m-1)*ldc+end || len(a) < (m-1)*lda+p.k ||
		len(p.data) < p.Count()*p.k*p.width || len(p.bias) < p.Count()*p.width {
		panic(fmt.Sprintf("kernel: product of %d rows with [%d, %d], panels %d to %d, strides %d and %d, of slices of %d and %d", m, p.k, p.n, from, to, lda, ldc, len(a), len(c)))
	}
}

// block multiplies rows first to last-1 with one panel, in tiles of about one height.
func (p *Panels) block(c []float32, ldc int, a []float32, lda, first, last, panel int) {
	most := active.rows()
	tiles := (last - first + most - 1) / most
	data, bias := p.data[panel*p.k*p.width:], p.bias[panel*p.width:]
	column := panel * p.width
	for i := range tiles {
		row := first + (last-first)*i/tiles
		rows := first + (last-first)*(i+1)/tiles - row
		if p.n-column >= p.width {
			tile(rows, p.k, a[row*lda:], lda, data, bias, c[row*ldc+column:], ldc)
			continue
		}
		p.edge(rows, a[row*lda:], lda, data, bias, c[row*ldc+column:], ldc, p.n-column)
	}
}

// edge multiplies a tile of the last panel, of which columns are wanted.
func (p *Panels) edge(rows int, a []float32, lda int, data, bias, c []float32, ldc, columns int) {
	var whole [tileRows * maxWidth]float32
	tile(rows, p.k, a, lda, data, bias, whole[:], p.width)
	for r := range rows {
		copy(c[r*ldc:][:columns], whole[r*p.width:])
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
