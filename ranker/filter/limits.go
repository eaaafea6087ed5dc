package filter

import "fmt"

// Limits bound what a filter may cost. A zero field takes its default.
type Limits struct {
	// MaxBytes bounds the text of one filter. Default 4,096.
	MaxBytes int
	// MaxNodes bounds its fields, literals and operators together. Default 1,024.
	MaxNodes int
	// MaxDepth bounds how deep parentheses and operators nest. A chain of &&
	// or of || counts as the logarithm of its length. Default 64.
	MaxDepth int
	// MaxList bounds the literals of one list. Default 256.
	MaxList int
	// MaxColumnBytes bounds the posting lists and columns that a [Compiler]
	// keeps for [Program.Bitmap]; past it the least recently used are dropped,
	// and built again when asked for. Default 256 MiB.
	MaxColumnBytes int
	// MaxPrograms bounds the filters that a [Cache] keeps. Default 1,024.
	MaxPrograms int
	// MaxBitmapBytes bounds the bitmaps that a [Cache] keeps, each a bit for
	// every item number the table may have: it keeps no more filters than fit.
	// Default 64 MiB.
	MaxBitmapBytes int
}

func (l Limits) withDefaults() (Limits, error) {
	for _, field := range []struct {
		name               string
		value              *int
		otherwise, largest int
	}{
		{"MaxBytes", &l.MaxBytes, 4 << 10, 1 << 20},
		{"MaxNodes", &l.MaxNodes, 1 << 10, 1 << 20},
		{"MaxDepth", &l.MaxDepth, 64, 250},
		{"MaxList", &l.MaxList, 256, 1 << 16},
		{"MaxColumnBytes", &l.MaxColumnBytes, 256 << 20, 1 << 40},
		{"MaxPrograms", &l.MaxPrograms, 1 << 10, 1 << 20},
		{"MaxBitmapBytes", &l.MaxBitmapBytes, 64 << 20, 1 << 40},
	} {
		if *field.value == 0 {
			*field.value = field.otherwise
		}
		if *field.value < 1 || *field.value > field.largest {
			return l, fmt.Errorf("%w: filter.Limits.%s is %d; give 1 to %d, or 0 for %d",
				ErrLimit, field.name, *field.value, field.largest, field.otherwise)
		}
	}
	return l, nil
}
