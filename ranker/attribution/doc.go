// Package attribution says what each feature contributed to a score of a model that is
// not linear.
//
// # The problem
//
// Weight times feature explains a linear model. A network or trees have no such
// product: what a feature does depends on the others. A merchant and a shopper want
// the same kind of answer all the same, and it must add up to the score.
//
// # The method
//
// Shapley values over orders of the features: start from a baseline row, switch one
// feature after another to the candidate's, and count to each what the score changed
// when it was switched. Along one order the changes add up to the score minus the
// baseline's, whatever the model is, since they telescope; so does their mean over
// orders. All orders are too many: a few permutations are drawn once, from a fixed
// seed, and each is walked in both directions, which makes the result exact for
// models whose features act alone or in pairs. Features that have the baseline's value
// contribute nothing and take no time.
//
// # How to use it
//
//	explainer := attribution.New(model.Score, &baseline)
//	rest := explainer.Attribute(&row, &parts) // Σ parts + rest = the score
//
// rest is the score of the baseline: what a candidate has of which nothing is known,
// or an average one, as the model's baseline has it.
//
// # The contract
//
// Deterministic, safe for concurrent use, and without allocations in steady state. The
// score function must be pure, and a row's score must not depend on the rows beside it.
//
// Sources: Štrumbelj and Kononenko, Explaining prediction models and individual
// predictions with feature contributions, 2014; Mitchell et al., Sampling permutations
// for Shapley value estimation, 2022, for orders in both directions.
package attribution
