// Package transition scores what comes next by a product of two tables: what an item
// leads to, and what an item follows from.
//
// # The problem
//
// A transformer over a history learns slowly what few users did: that whoever takes this
// item takes that one next. A table of what followed what knows it from the second time
// on. Factored, it is an encoder as any other: users and items are vectors.
//
// # The model
//
//	input  = InputText · text + Input[item]       what the item leads to
//	output = OutputText · text + Output[item]     what the item follows from
//	user   = Σ Decay^k · input(k-th newest item), over the last Recent events
//
// A score is the inner product of user and output. Any part may be absent: the tables
// alone are factors of a matrix of transitions, the projections alone serve new items by
// their text, and two identities in their place are plain text similarity.
//
// # How to use it
//
// [Head.Validate] once; then [Head.User] and [Head.Item] allocate nothing and may be
// called from anywhere at once. A head lies in a file as named tensors ([Tensors],
// [FromTensors]) beside others. Package embed/behaviour/learned puts heads and
// transformers side by side.
//
// # Source
//
// Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization", for
// tables as factors; Garg et al. 2019, "Sequence and time aware neighborhood for
// session-based recommendations", for the decay.
package transition
