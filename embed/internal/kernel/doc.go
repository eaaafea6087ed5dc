// Package kernel computes what a transformer spends its time on, forward and backward:
// products with packed matrices, GELU, softmax, layer norm, dropout and the steps of
// AdamW, in float32.
//
// # Products
//
// A matrix that many rows are multiplied by is packed once ([Pack]): its columns go in
// panels as wide as two vector registers, each panel a run of memory in the order in
// which a product reads it. A tile of up to 12 rows by one panel stays in registers
// while the whole inner dimension passes by. Nothing of the left side is packed: its
// elements are broadcast from where they lie, in any order ([Left]), so that a
// transpose on the left costs nothing. An element of a product is one sum over the inner
// dimension in order: it does not depend on which rows and panels are computed
// together, nor by how many goroutines.
//
// # Instruction sets
//
// On amd64 the tiles are AVX-512 or AVX2 with FMA, written by the generator in
// internal/gen (go generate rewrites them, and a test there checks that nothing
// differs). Elsewhere the Go twins run. They agree up to rounding.
//
// # Source
//
// Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication". The
// rational erf is the one of Eigen, the exponential that of Cephes. The hash of [Mask]
// has the constants of Ettinger's lowbias32 and those of SplitMix64.
package kernel

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg kernel
