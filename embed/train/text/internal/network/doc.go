// Package network trains the weights of a BERT encoder on a GoMLX backend: forward and
// backward pass of a batch, and the AdamW step, all on the device.
//
// # Choices
//
// Texts come in chunks of a fixed shape, since XLA compiles one program a shape. A batch
// is a few chunks of different lengths, so that short texts are not padded to the longest.
//
// A batch is computed in one of two ways, which give the same gradients:
//
//	whole    one program: all chunks, the loss and the gradients. The fastest; memory
//	         grows with the batch.
//	in parts gradient caching (Gao et al. 2021): the chunks' vectors without gradients,
//	         the loss and its gradient by the vectors, then chunk by chunk the forward
//	         pass again and the gradients, which are added up. Memory is that of one
//	         chunk, time a third more. Losses that compare all texts of a batch with each
//	         other stay exact, which plain accumulation would not give.
//
// Weights, moments and gradients stay on the device; with a step go token numbers, what
// the loss needs, and the learning rate, and back come the loss and the gradient's norm.
//
// An adapter adds Alpha/Rank · x A B to x W, with W frozen; A is random, B zero at first
// (Hu et al. 2021, "LoRA"). Export multiplies it into W.
//
// A step whose gradient is not finite changes no weight.
package network
