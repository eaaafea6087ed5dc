// Package behaviour turns what somebody did lately into a vector among the items'
// vectors: what is near it is what to show next.
//
// # The problem
//
// A visitor's history is a short list of items, some only seen, some bought, some
// hidden for good. A vector index wants one direction to look in. It must be there
// a moment after the first click, and change with every further one.
//
// # The method
//
// [Mean] is a weighted mean of the items' vectors. A touch counts by
//
//	|Weight| · RankDecay^rank · 2^(−(age − youngest age) / HalfLife)
//
// where Weight says what the act was (the caller's: a purchase more than a view, a
// dislike, a hide or a bad rating negative), and rank is how many newer touches of
// the same sign there are. The mean of what attracts is what is looked for. What
// repels is subtracted from it, as in relevance feedback:
//
//	sum of attracting touches − share · sum of repelling touches
//
// where share is 1 as long as the repelling ones together weigh no more than
// Repulsion times the attracting ones, and else what makes them weigh that much.
// Without this bound, somebody who hides ten of the many printers that they are
// shown would be looked for in the far corner of the space where nothing is like
// anything. For the same reason a history that only repels says nothing.
//
// Ages are relative to the youngest: after a year away somebody is still who they
// were, only with less to say how much. Signs are ranked apart, so that a dislike
// does not age what was liked.
//
// # When there is nothing to say
//
// Encode returns false when no touch with a vector attracts, or when the vectors
// cancel: their weighted mean is shorter than a ten-thousandth. The caller then
// goes down its ladder, to the neighbours of recent items or to what is popular.
//
// # How to use it
//
//	mean := behaviour.DefaultMean()
//	mean.HalfLife = 7 * 24 * time.Hour
//	if err := mean.Validate(); err != nil { ... } // once, at start
//	...
//	ok, err := mean.Encode(user, touches) // oldest first
//
// # How to write your own
//
// Anything that takes a history and writes a unit vector in the items' space is an
// [Encoder]; a learned one sees the same touches in the same order. Keep it pure,
// or it cannot be replayed.
//
// # Source
//
// Rocchio 1971, "Relevance feedback in information retrieval", for the difference
// of two means.
package behaviour
