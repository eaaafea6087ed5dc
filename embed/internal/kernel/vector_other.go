//go:build !amd64

package kernel

// whole is how many of n elements the kernels take: there are none here.
func whole(int) int { return 0 }

// With none of them taken, what follows is never called with elements.

func axpyFast(y, x []float32, a float32)                                        {}
func scaleFast(x []float32, a float32)                                          {}
func dotFast(x, y []float32) float32                                            { return 0 }
func addProductFast(sum, x, y []float32)                                        {}
func geluGradFast(d, x []float32)                                               {}
func normFast(y, unit, x, scale, shift []float32, epsilon float32) (by float32) { return 0 }
func normGradFast(d, unit, scale []float32, by float32)                         {}
func dropoutFast(x []float32, m Mask, first uint32)                             {}
func adamFast(w, g, m, v []float32, c *[9]float32)                              {}
