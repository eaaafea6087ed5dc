// Package covisit counts which items follow which: the co-visitation graph of
// one tenant.
//
// # The problem
//
// "What did people go to after this item?" is the strongest signal there is
// before anything is learned, and it is fresh: a click counts for the next
// reply. The counts must be bounded in memory, cheap to read on every request
// and cheap to update on every event.
//
// # The choices
//
// When a user acts on item j, each item i of the user's last [Options.Window]
// steps gets j as a neighbour. The pair's evidence is StepDecay^(gap-1), where
// gap is how many steps lie between them (1 for the very next), times the
// geometric mean of the two acts' weights. Order matters in most logs, so that
// both directions are kept apart: [Neighbour.After] is what followed, and
// [Neighbour.Before] is what came before. A symmetric count is their sum, and a
// share of it is for the reader to choose.
//
// Counts are kept raw and normalised when read, since the right exponent is a
// matter of ranking: After / [Graph.Total] is close to the probability that j
// follows i within the window, and dividing by Total(j)^β as well takes out
// what is merely popular.
//
// Time decay is optional. It is a forward decay: an event at time t is counted
// as 2^((t-origin)/HalfLife), so that nothing stored has to shrink as time goes
// by. Ratios of counts are unaffected by the common factor; constants that are
// added to counts have to be multiplied by [Graph.Unit].
//
// Every item has at most [Options.MaxNeighbours] neighbours and all items
// together at most [Options.MaxPairs]. In a full list a newcomer replaces the
// least neighbour if it brings at least as much evidence, and otherwise wears
// it down by what it brings, so that a list of stale neighbours gives way in
// time (the idea of Misra and Gries, Finding repeated elements, 1982).
//
// # How to use it
//
//	graph, err := covisit.New(covisit.Options{})
//	err = graph.Add(trail, next)       // trail: the user's steps so far, newest last
//	list := graph.Neighbours(7, buf[:0]) // a copy, in no particular order
//	p := list[0].After / graph.Total(7)
//
// A trail should hold one step for a visit: three clicks on one page in a row
// are one step, with the weight of the strongest, while two purchases of the
// same item are two. A pair of an item with itself is counted like any other:
// it says how often people come back for the item. Options.Window steps of
// trail suffice.
//
// # The contract
//
// All methods are safe for concurrent use. Writers wait for one another; a
// reader waits at most for one list of 64 items to be updated or copied. The
// same calls in the same order give the same counts, and a checkpoint
// ([Graph.AppendBinary], [Load]) brings them back exactly.
//
// Source: directed co-visitation with distance decay is the backbone of many
// session-based systems; see Sarwar et al., Item-based collaborative filtering,
// 2001, for the cosine form, and Cormode et al., Forward decay, 2009.
package covisit
