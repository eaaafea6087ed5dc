//go:build !race

package transformer

const pointerChecks = false
