//go:build !race

package simd

// raceEnabled says whether the race detector is on.
const raceEnabled = false
