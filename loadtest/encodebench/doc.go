// Package encodebench measures text encoders: how many texts a second, and what
// vectors they give.
//
// With shapes, batches of random token numbers go through the forward pass and the
// pooling, all of one length, so that figures can be compared with other runtimes';
// nothing is cut into tokens. With texts, a file's lines go through everything, and
// their vectors can be kept as an npy file to be compared with a reference. Loading, and
// compiling the usual shapes where a backend does that, come before the clock starts.
//
// GFLOP/s counts the matrix products of the texts' tokens; padding is not counted, so
// what a backend wastes on it shows. A static encoder multiplies nothing and reports 0.
package encodebench
