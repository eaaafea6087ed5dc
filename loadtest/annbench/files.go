package annbench

import (
	"fmt"
	"os"

	"github.com/sbinet/npyio"
)

// matrix is [rows, dim] float32, row by row.
type matrix struct {
	values    []float32
	rows, dim int
}

func (m matrix) row(i int) []float32 { return m.values[i*m.dim : (i+1)*m.dim] }

// set is what a run reads.
type set struct {
	base, queries matrix
	truth         []int32 // [queries, truthWidth]
	truthWidth    int
}

func readSet(o Options) (s set, err error) {
	if s.base, err = readMatrix(o.Vectors); err != nil {
		return s, err
	}
	if s.queries, err = readMatrix(o.Queries); err != nil {
		return s, err
	}
	if s.queries.dim != s.base.dim {
		return s, fmt.Errorf("%s has vectors of %d elements, %s of %d", o.Queries, s.queries.dim, o.Vectors, s.base.dim)
	}
	rows, width, err := readArray(o.Truth, &s.truth)
	if err != nil {
		return s, err
	}
	if rows != s.queries.rows || width < k {
		return s, fmt.Errorf("%s is [%d, %d], want [%d, %d or more]: the neighbours of each query", o.Truth, rows, width, s.queries.rows, k)
	}
	s.truthWidth = width
	for i, id := range s.truth {
		if id < 0 || int(id) >= s.base.rows {
			return s, fmt.Errorf("%s: query %d has neighbour %d, there are %d vectors", o.Truth, i/width, id, s.base.rows)
		}
	}
	return s, nil
}

func readMatrix(path string) (m matrix, err error) {
	m.rows, m.dim, err = readArray(path, &m.values)
	return m, err
}

// readArray reads a two-dimensional npy file into values, a pointer to a slice
// of the file's element type.
func readArray(path string, values any) (rows, columns int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	r, err := npyio.NewReader(f)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	shape := r.Header.Descr.Shape
	if len(shape) != 2 || shape[0] == 0 || shape[1] == 0 || r.Header.Descr.Fortran {
		return 0, 0, fmt.Errorf("%s: shape %v, want two axes, not empty, in C order", path, shape)
	}
	if err := r.Read(values); err != nil {
		return 0, 0, fmt.Errorf("%s: it holds %s, wanted for a %T: %w", path, r.Header.Descr.Type, values, err)
	}
	return shape[0], shape[1], nil
}
