package simd

import "testing"

// eachLevel runs body under every instruction set that this machine has.
func eachLevel(t *testing.T, body func(*testing.T)) {
	defer func(was level) { active = was }(active)
	for l := portable; l <= best(); l++ {
		active = l
		t.Run(Name(), body)
	}
}
