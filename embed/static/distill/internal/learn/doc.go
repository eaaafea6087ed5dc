// Package learn fits the rows of a static table to what a teacher makes of texts.
//
// # The problem
//
// A table that is made of tokens by themselves does not know how a text's tokens come
// together: which of them carry a text's meaning, and which are furniture. The teacher
// does. Given texts and the teacher's vectors of them, rows are wanted whose sums point
// where the teacher does, so that the same texts are near each other.
//
// # The method, in two steps
//
// [Start]: one linear map for all rows. Sums of rows mapped are mapped sums of rows, so
// the map is found in closed form, as ridge regression of the teacher's vectors on the
// sums of the unreduced rows. The teacher's vectors are first reduced to the table's
// dimension, along the directions in which those of texts, not of tokens, vary. Every
// token profits, also one that no text holds.
//
// [Train]: each row by itself, by AdamW. For a text i of a batch let u be the unit sum
// of its rows, y the teacher's reduced unit vector, s and t the cosines between texts
// as the table and as the teacher see them. Minimised is the mean over texts of
//
//	Cosine · (1 - u·y)  +  Divergence · KL( softmax(t_i/Temperature) || softmax(s_i/Temperature) )
//
// The first term says where a text lies, the second who lies near it. What AdamW decays
// is a row's distance to where it started, so that a rare token stays where the linear
// map has put it. Rows of tokens that a batch does not hold are left alone.
//
// After every so many steps the validation figure is taken; training ends when it has
// not risen for some time, and the best rows are returned.
//
// # Repeating a run
//
// Batches are drawn from the seed, and sums are added in an order that does not depend
// on the number of workers. The same arguments give the same rows on processors with the
// same instructions.
//
// # Memory
//
// Six times the rows: 190 MB for 30,522 tokens of 256 components.
//
// # Source
//
// Loshchilov and Hutter 2019, "Decoupled weight decay regularization"; Tung and Mori
// 2019, "Similarity-preserving knowledge distillation"; Hinton, Vinyals and Dean 2015,
// "Distilling the knowledge in a neural network".
package learn
