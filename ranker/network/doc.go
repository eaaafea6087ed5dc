// Package network is a ranker's model with a small neural network beside the linear one.
//
// # The problem
//
// A linear model adds up what its features say. It cannot say that a price far from the
// usual matters to those who came by price, or that co-visitation counts for less where
// vectors are sure. A network can, if there are choices enough to learn it from.
//
// # The choices
//
// The score is w·x + v·relu(B·relu(A·z)), where z are the standardised features: the
// linear model and, added to it, two hidden layers. v starts at zero, so that training
// starts with the linear model and can only leave it for something that is better on
// choices that were held back; where nothing is, the result is the linear model. The
// loss is that of package fit: minus the logarithm of the softmax of the chosen among the
// candidates of one request (listwise: ListNet with one chosen item, Cao et al., 2007).
// The slot of a list that was shown (ranker.Position) is seen by the linear part only.
// Adam, dropout on the inputs of the layers and weight decay; all in Go, on kernels of
// package internal/dense.
//
// # How to use it
//
//	model, report, err := network.Train(ctx, samples, weights, network.Options{Seed: 1})
//	err = network.Write(w, model)
//	model, err = network.Read(r)
//	pipeline, err := ranker.New(ranker.World{…, Model: model})
//
// # The file
//
// JSON, by the names of the features: how each is standardised, its linear weight and
// its column of the first layer; then the layers. A file may lack features of this release:
// they came later and have no weight. A feature that is not known, a number that is not
// finite, and shapes that do not agree are refused by name: [ErrModel].
//
// # The contract
//
// A [Model] is immutable and safe for concurrent use, scores without allocation in
// steady state, and one candidate's score does not depend on the others. Its attribution is that of package
// attribution, from the row of mean features. Train is deterministic: equal samples and
// seed give equal models on one kind of processor.
//
// Sources: Cao et al., Learning to rank: from pairwise to listwise approach, 2007; Qin et
// al., Are neural rankers still outperformed by gradient boosted decision trees?, 2021, for
// standardised features and the linear shortcut; Kingma and Ba, 2015, and Loshchilov and
// Hutter, 2019, for AdamW.
package network
