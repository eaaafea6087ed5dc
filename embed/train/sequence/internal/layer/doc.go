// Package layer has the differentiable parts of a causal transformer over sequences that
// lie end to end, without padding.
//
// # Rows
//
// All events of a batch are rows of one matrix, sequence after sequence. What works on
// one row alone (products, norms, feed-forward) does not know of sequences; attention
// does, by the row at which each row's sequence begins. A batch is computed in parts of
// whole sequences: the forward and the backward pass of a part touch no other part's
// rows, so parts run at once, and the result does not depend on how many do.
//
// # The two passes
//
// [Block.Forward] keeps in [Activations] what the backward pass needs. [Block.Backward]
// turns the gradient of a block's result into that of its argument, in place, and keeps
// the gradients of its products' results. Gradients of weights sum over all rows of the
// batch: [Gradient] computes those of products when the parts are done, and a part
// adds those of norms and distances to a [Small] of its own.
//
// # Dropout
//
// Masks are made of a key and an element's number ([kernel.Mask]), so that the backward
// pass makes them again. Keys come from [Keys].
package layer
