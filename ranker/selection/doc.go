// Package selection decides whether a tenant's ranker is the linear model or the network.
//
// # The problem
//
// A network fits the choices it was trained on at least as well as weights do, and may rank
// worse tomorrow. Which one serves must be decided on choices that neither was trained
// on, and by a margin that is not luck.
//
// # The method
//
// The samples are dealt into folds. For each fold both models are trained on the others and
// asked this one: each sample is asked once, by models that never saw it. Over all
// samples the mean difference in ln(probability of the chosen) has a standard error; the
// network serves if it gains more than two of them and its NDCG@10 is no lower: the simpler
// unless the other is clearly better (Breiman et al., 1984, had the one standard error
// rule for trees; two, since a model is replaced for all users). What was chosen is then
// trained on all samples.
//
// # How to use it
//
//	result, err := selection.Choose(ctx, samples, ranker.DefaultWeights(), selection.Options{})
//	world.Model = result.Model
//
// # The contract
//
// Choose is deterministic and runs on the caller's goroutine. It trains the network Folds+1
// times at most: never where [Options.Kind] is [Linear].
package selection
