// Command gen writes the amd64 kernels of package simd and the Go
// declarations that go with them. It is run by go generate in that package:
//
//	go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg simd
//
// One description yields the AVX2 and the AVX-512 form of each kernel, so that
// they cannot drift apart. What a kernel computes is said in package simd.
package main

import asm "github.com/mmcloughlin/avo/build"

func main() {
	gatherFloat(avx2)
	gatherFloat(avx512)
	gatherCodes(avx2)
	gatherCodes(vnni)
	unseen()
	sumNibbles(avx2)
	sumNibbles(avx512)
	between()
	asm.Generate()
}
