//go:build !amd64

package simd

import "testing"

func eachLevel(t *testing.T, body func(*testing.T)) { t.Run(Name(), body) }
