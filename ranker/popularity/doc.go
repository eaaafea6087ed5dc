// Package popularity keeps how much each item is acted on, with decay, and the
// list of the most popular ones.
//
// # The problem
//
// Popularity answers those of whom nothing is known, and is a prior for all
// others. It must follow the events as they come, and reading it on every
// request must cost next to nothing.
//
// # The choices
//
// The count of an item is a sum over its acts of weight × 2^(-age/HalfLife). It
// is kept as a forward decay (Cormode et al., 2009): an act at time t is added as
// weight × 2^((t-origin)/HalfLife), so that nothing has to be touched as time
// goes by, and the order of items does not change between events. The list of
// the top items is therefore kept up to date by moving the one item that was
// acted on, and it is exact.
//
// One [Counter] is one half-life: a tenant keeps a slow or undecayed one for
// what is popular, and a fast one for what is trending.
//
// # How to use it
//
//	trending, err := popularity.New(popularity.Options{HalfLife: 7 * 24 * time.Hour})
//	err = trending.Add(item, 1, eventMicros)
//	for _, item := range trending.Top() { … } // most popular first
//	count := trending.Count(item, nowMicros)
//
// [Arrivals] is the like list of the newest items.
//
// # The contract
//
// All methods are safe for concurrent use; readers take no lock. Ties are broken
// by the smaller item number. The list of [Counter.Top] is published anew after
// at most 1/64 more events than were counted so far, and at least every 64; after
// [Counter.Publish] it reflects everything.
package popularity
