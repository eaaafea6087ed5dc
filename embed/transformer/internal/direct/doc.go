// Package direct is the forward pass of a BERT encoder in Go, without C.
//
// # Choices
//
// No padding. The tokens of many texts lie one after the other, and only attention
// looks at where a text begins and ends. A batch of uneven texts costs what its
// tokens cost.
//
// Two ways of using the cores. With enough texts, groups of about 256 tokens are
// handed out, each computed by one goroutine from beginning to end; they never wait
// for each other. With few, a team of goroutines computes all texts together: each
// takes a share of every product's columns, and they meet at a barrier after each
// step. A step takes some ten microseconds, too short to sleep and be woken, so they
// spin there, and yield their thread while they do.
//
// One call at a time computes; others wait for it, or for their context. A call is
// short, and it has all cores.
//
// The same text gives the same vector to the last bit whatever it is encoded with:
// the order of additions within a row depends on the row alone.
//
// # Memory
//
// The weights, packed: as much as they take as float32. What lies between the layers
// takes about 15 KB a token for MiniLM; groups bound it.
package direct
