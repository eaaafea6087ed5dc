//go:build !amd64

package simd

// Name says which instruction set runs: here always portable.
func Name() string { return "portable" }

func gather([]float32, Table, []uint32, []float32) bool { return false }
