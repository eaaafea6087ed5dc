// Package ranker decides what to show: it finds candidates, scores them, and
// orders and explains them. The live service and offline evaluation run this
// one code.
//
// # The problem
//
// A request brings what is known (a history, a vector, the items of a page, a
// filter) and wants the best few of many items within a fraction of a
// millisecond, never an empty answer, never an item that may not be shown, and
// a reason for each.
//
// # The choices
//
// Several cheap sources propose a few hundred candidates, all of which are then
// scored by one model over documented features: linear by default. [Source] names the
// sources: the nearest to the user's vector, the nearest to recent items, what
// was co-visited with them, the user's own items where repeats are allowed, what
// is trending, popular and new. [Feature] names the features. A linear model is
// explained exactly: weight times feature is what a feature contributed, and the
// contributions add up to the score; others by Shapley values that do (attribution). The default weights were fitted; a trained
// model is other [Weights], or another [Model].
//
// The ladder of tiers follows from what is known: personalized (a vector of a
// known user), session (events alone), item_neighbours (items of the page
// alone), popular. [TierReason] says why. When the sources of a rung bring too
// little, lower rungs fill up, and each item says who proposed it.
//
// Whether an item may be returned is asked of the live catalog row and the
// filter while candidates are collected, that is, during the reply, and on every
// rung. Order is by score, then by the smaller item number, so that equal inputs
// give equal replies. A policy (package rerank) may change order, not scores: rules of the
// merchant, caps, variety, and chance, of which each item carries its exact probability. The
// rules that exclude are asked while candidates are collected, so that what they take out is
// replaced.
//
// # How to use it
//
//	pipeline, err := ranker.New(ranker.World{
//		Catalog: table, Vectors: vectors, Nearest: index, Neighbours: cache,
//		CoVisited: graph, Popular: popular, Trending: trending, Arrivals: arrivals,
//	})
//	var res ranker.Response // kept and reused
//	err = pipeline.Recommend(&ranker.Request{
//		History: touches, UserVector: vector, Seen: ranker.HidePurchased,
//		Now: nowMicros, Limit: 10,
//	}, &res)
//	for _, item := range res.Items { … }
//	reasons := pipeline.Reasons(&req, &res, 0, nil)
//	why, err := pipeline.Explain(&req, []uint32{42}, &res)
//
// Similar items and items bought together are a request with a [Relation] and
// the item in Context; a list that the caller brings is ranked by
// [Pipeline.RankItems]. Subpackages hold the parts: catalog (live rows), filter
// (CEL), covisit (what follows what), popularity (decayed counts, arrivals), rerank
// (policies), exposure (what was shown today).
//
// To add a feature, add a constant to [Feature] with its definition, its name,
// its [column] and a default weight. To add a source, add a constant to
// [Source], a type that proposes, and a line to the list of sources.
//
// # The contract
//
// Items are dense uint32 numbers, vectors []float32 of unit length, filter
// bitmaps dense []uint64 words. A [Pipeline] is safe for concurrent use and
// holds no lock while it works. In steady state a request allocates nothing;
// scratch memory is kept, at 16 bytes an item of the catalog and some hundred
// kilobytes, for as many requests as there are processors.
//
// Sources: Covington et al., Deep neural networks for YouTube recommendations,
// 2016, for the two stages; McFadden, Conditional logit analysis, 1974, for the
// fit of the weights; Carbonell and Goldstein, 1998, for diversity.
package ranker
