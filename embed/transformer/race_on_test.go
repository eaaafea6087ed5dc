//go:build race

package transformer

// pointerChecks: the race detector also checks pointers, and stops the program at
// GoMLX's own Go backend, which points past the end of a slice when it multiplies.
const pointerChecks = true
