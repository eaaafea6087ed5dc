//go:build !amd64

package simd

import "unsafe"

// Name says which instruction set runs: here always portable.
func Name() string { return "portable" }

func gather([]float32, *Table, []uint32, []float32) bool { return false }

func gatherCodes([]int8, *Table, []uint32, []int32) bool { return false }

func (*Visits) filter(_, _ []uint32, _ *Table, _ unsafe.Pointer) (int, bool) { return 0, false }

func sumNibbles([]uint8, int, []uint64, int, []uint8) bool { return false }

func between([]uint8, uint8, uint8, []uint64) bool { return false }
