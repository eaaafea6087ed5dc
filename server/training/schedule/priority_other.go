//go:build !unix

package schedule

// lowestPriority does nothing: GOMAXPROCS alone holds the child back here.
func lowestPriority() error { return nil }
