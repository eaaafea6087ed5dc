// Package transition learns which items follow which, in closed form: the counts of
// what came after what in a log, factored into short vectors.
//
// # The problem
//
// A sequence model learns from a log by many small steps and generalizes by what it
// has in common with the rest. What few users did is lost on the way, although a plain
// count of it would find the next item. Beside a sequence model, factored counts
// add just that, and cost an inner product.
//
// # The method
//
// Item j at distance d after item i, d up to Reach, adds Decay^(d-1) to C[i,j] and
// Backward times that to C[j,i]: who bought the second may want the first. The counts
// are then damped by how much goes out of i and how popular j is:
//
//	M[i,j] = C[i,j] / sqrt((Σ_j C[i,j] + OutPrior) · (popularity of j + InPrior))
//
// and M ≈ Input · Outputᵀ, its best approximation of the rank asked for. A user is the
// decayed sum of the input vectors of the last items, and an item its output vector:
// a head of package embed/behaviour/transition.
//
// The approximation is found by subspace iteration: a random block of Rank plus some
// columns is multiplied by M and its transpose in turn and made orthonormal through the
// eigenvectors of its Gram matrix, twice. Memory is two blocks of [items, Rank+16]
// float32, and 16 bytes a pair counted.
//
// # Bounds
//
// At most MaxPairs different pairs are kept. Past that the lightest half gives way, and
// [Factors.Dropped] says how many pairs were given up.
//
// # How to use it
//
//	factors, err := transition.Fit(ctx, items, sequences, transition.Options{Rank: 256, Seed: 1})
//
// # Source
//
// Halko, Martinsson and Tropp 2011, "Finding structure with randomness", for the
// iteration; Linden, Smith and York 2003, "Amazon.com recommendations", for the counts
// and their damping.
package transition
