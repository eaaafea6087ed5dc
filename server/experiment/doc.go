// Package experiment says who is in which variant of an experiment, and nothing else.
//
// # The problem
//
// People must keep their variant from one visit to the next, on every machine, without a
// table of who is where. Two experiments must not know of each other: that somebody is in
// one variant must say nothing of the other. And when an experiment's shares are changed,
// as when a good variant is given more people, those who need not change must not.
//
// # The choices
//
// A unit (a user id, a session id) falls into one of [Buckets] buckets by [Bucket], a hash
// of a salt and the unit. The hash is SHA-256: cheap enough at some hundred nanoseconds,
// and what it makes of two salts is independent for all that can be measured. An
// [Allocation] says which buckets are whose. It is kept with the experiment, since shares
// alone cannot say where buckets went before: [Allocate] makes the next one out of it and
// moves as few buckets as there are, from variants that shrank, or from none, to variants
// that grew. Ranges computed from shares alone move others, too: growing the first
// variant shifts all that follow. So does weighted rendezvous hashing, when two shares
// change at once.
//
// Experiments that exclude each other share a layer: the unit's bucket under the layer's
// salt has to lie in the experiment's part of it.
//
// # The contract
//
// All is pure and deterministic, across machines and releases: a changed hash would
// reassign everybody, and a test holds it in place. Nothing here allocates but Allocate.
//
// Overlapping layers: Tang et al., Overlapping Experiment Infrastructure: More, Better,
// Faster Experimentation, KDD 2010. Hash assignment: Kohavi et al., Controlled
// Experiments on the Web: Survey and Practical Guide, 2009, section 4.1.
package experiment
