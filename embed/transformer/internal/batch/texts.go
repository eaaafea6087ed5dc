// Package batch holds texts on their way to a forward pass.
package batch

// Texts are token numbers of texts, one text after the other.
type Texts struct {
	IDs    []int32 // each from 0 to vocab-1
	Starts []int   // [texts+1]: text i is IDs[Starts[i]:Starts[i+1]], at least one token
}

// Len is the number of texts.
func (t Texts) Len() int { return len(t.Starts) - 1 }

// Part is the texts from from to to-1.
func (t Texts) Part(from, to int) Texts { return Texts{IDs: t.IDs, Starts: t.Starts[from : to+1]} }

// Text is the tokens of one text.
func (t Texts) Text(i int) []int32 { return t.IDs[t.Starts[i]:t.Starts[i+1]] }

// Tokens is the number of tokens of all texts.
func (t Texts) Tokens() int { return t.Starts[t.Len()] - t.Starts[0] }
