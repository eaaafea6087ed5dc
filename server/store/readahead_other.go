//go:build !linux

package store

// noReadahead does nothing: see its twin for Linux.
func noReadahead(string) error { return nil }
