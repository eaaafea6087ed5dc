// Package embed is the contract of text encoders: text in, unit vectors out.
//
// # The problem
//
// An item that nobody has touched yet has only its words. A text encoder turns
// them into a vector, so that what reads alike lies close together and a new
// item can be found at once. Many things can do that, at very different prices:
// a table of token vectors (100,000 texts a second and more on one core), a
// transformer on a GPU, a worker on another machine. The rest of Kindred sees
// only [Encoder], and does not care which it was given.
//
// # Choices
//
// The caller owns the memory. Encode writes into a slice that it is handed, row
// by row, so that a catalog's vectors can be written straight to where they are
// kept, and a steady stream of texts allocates nothing.
//
// Many texts in one call. A transformer and a remote worker are fast only in
// batches, and for a table it makes no difference.
//
// Rows are of unit length. An inner product is then the cosine, which is what
// the indexes of this project rank by.
//
// A text that says nothing has no direction. Its row is all zeros, whose inner
// product with everything is 0. It is not an error: a catalog may well hold an
// item without a title, and one such row must not spoil a batch. What counts as
// nothing is the encoder's tokenizer's matter: white space at least.
//
// # How to use it
//
//	enc, err := static.Default()
//	...
//	dim := enc.Info().Dim
//	out := make([]float32, len(texts)*dim)
//	if err := enc.Encode(ctx, texts, out); err != nil { ... }
//	first := out[:dim] // unit length, or zeros
//
// Vectors of different models cannot be compared. Keep [Info.Model] beside the
// vectors, and encode again when it changes: it names the content of the model,
// not only its title.
//
// An encoder reads a bounded part of a text (see [Info]). Whether all of a text
// was read is told by [Measurer], which every encoder with a tokenizer of its
// own implements.
//
// Encoders differ by five powers of ten in what a text costs. [Immediate] says which kind
// one is; [Querier] that searches are encoded in another way than what they find.
//
// # How to write your own
//
// Implement the two methods of [Encoder]. Start Encode with [Info.CheckShape],
// which makes the error that callers expect. Look at the context between
// batches. If the encoder sits across a network, or can be full, return
// [ErrUnavailable] or [ErrOverloaded] wrapped with what happened, so that the
// caller knows whether to retry. Then let the tests call [Verify], which tries
// everything that this page promises; it is also cheap enough to check a remote
// worker at start-up.
//
// # Where things are
//
//   - embed/static: the embedded default, a table of int8 token vectors;
//     embed/static/distill makes such tables from transformers and texts.
//   - embed/transformer: models of the BERT family, in Go or through XLA.
//   - embed/batch: many callers' texts in common batches, bounded.
//   - embed/remote: encoders on other machines.
//   - embed/itemtext: what is read of an item.
//   - embed/wordpiece: the tokenizer of BERT and its family.
//   - embed/behaviour: what somebody did lately, as a vector among the items'.
package embed
