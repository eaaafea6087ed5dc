// Package rowsum adds up rows of an int8 table, which is where a static encoder
// spends its time after tokenization.
//
// A row is int8 components and one float32 scale. The sum of a text's rows is
// computed a stretch of components at a time, so that its partial sums stay in
// registers while one token after the other is added.
//
// On amd64 with AVX2 the kernels are assembly, written by the generator in
// internal/gen (go generate rewrites them, and a test there checks that nothing
// differs). Everywhere else, and for dimensions that are no multiple of 64, the
// Go twin runs. Both multiply, round, and add in the same order, and neither
// fuses the two: a text's vector is the same to the last bit on every machine.
package rowsum

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg rowsum
