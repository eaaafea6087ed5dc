// Package compiled is the forward pass of a BERT encoder by a GoMLX backend that
// compiles one program for each shape, such as XLA.
//
// # Choices
//
// Shapes come from a grid: lengths that grow by a third or a half, batches that are
// powers of two. A text is padded to the next length. A batch is not padded with texts
// much: it is taken apart into the largest batches of the grid. Programs are compiled
// when a shape first comes, or by WarmUp, are counted, and the least recently used is
// dropped when there are too many.
//
// The weights are moved to the device once and are arguments of every program, so that
// programs share them. Only token numbers and lengths go to the device with a call, and
// only pooled vectors come back.
package compiled
