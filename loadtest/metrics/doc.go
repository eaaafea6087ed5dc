// Package metrics computes the figures of offline evaluation from what a ranking did: where
// the right answers stood, and what the lists looked like. It is numbers in, numbers out.
//
// # Accuracy
//
// A user's right answers stand at [Places]: sorted, from 1. [HitRate], [Recall], [Precision],
// [NDCG], [ReciprocalRank] and [AveragePrecision] are of one user and in [0, 1]; a figure is
// their mean over users. Among equal scores the right answers come last: whoever breaks ties
// in favour of a model that gives everything one score calls it perfect.
//
// # Beyond accuracy
//
//   - [IntraList]: the mean distance of the pairs of a list (Smyth and McClave, 2001); by
//     labels with [Jaccard] (one less it), by vectors with one less the cosine.
//   - [Novelty]: the mean over a list of −log2 of the share of users who met the item (Zhou
//     et al., "Solving the apparent diversity-accuracy dilemma", 2010). An item that nobody
//     met counts as if one user had: there is no greater surprise than the log can show.
//   - [Exposure]: which items had the places: their mean popularity (ARP; Abdollahpouri et al.,
//     2019), the Gini index over the whole catalog (0: all items alike, 1: one has all), and
//     the share that goes to each tenth of the items by popularity.
//   - [Miscalibration]: how far the categories of a list are from those of the history, as a
//     Kullback-Leibler divergence in nats (Steck, "Calibrated recommendations", 2018).
//   - [Shares]: how far the exposure of sellers is from what they have in the catalog, as a
//     total variation distance in [0, 1]; [Terciles]: users by how active they are.
//
// # Noise
//
// [Paired] resamples users, with all of their questions, and gives an interval of the
// difference of two rankings of the same questions (Efron and Tibshirani, "An introduction to
// the bootstrap", 1993, percentiles). Pairs are what makes small differences visible: a question that
// is hard for one ranking is hard for the other.
//
// # The contract
//
// Functions are pure and keep nothing of their arguments. Whatever is random takes a seed.
// [Exposure] is not synchronised. The definitions agree with trec_eval and SciPy to 1e-9: see
// testdata/reference.py, which makes the figures that the tests compare with.
package metrics
