// Package simd computes inner products of one query with many rows.
//
// Comparing a query with stored vectors is where a vector index spends its
// time, and most of that is waiting for memory. The functions here therefore
// take a list of rows, score four at a time, and ask for the next rows before
// they are needed. Rows live in a [Table] of fixed chunks, so a table grows
// without copying.
//
// On amd64 the kernels are assembly, written by the generator in internal/gen
// (go generate rewrites them, and a test there checks that nothing differs).
// The best set that the processor has is chosen at start: AVX-512, then AVX2
// with FMA, then plain Go. Other architectures run the Go twin. All sets agree
// up to rounding; on one machine the score of a row does not depend on which
// other rows are scored with it, nor on its place among them.
//
// Row numbers and table bounds are not checked on the assembly path: the
// package is internal, and its callers own both.
package simd

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg simd
