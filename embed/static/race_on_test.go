//go:build race

package static

// raceEnabled: the race detector makes sync.Pool drop what it holds.
const raceEnabled = true
