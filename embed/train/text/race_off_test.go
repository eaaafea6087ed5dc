//go:build !race

package text

// pointerChecks says whether the race detector checks conversions of pointers, which
// GoMLX's backend in Go does not pass.
const pointerChecks = false
