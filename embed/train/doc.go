// Package train makes a behaviour model of a log: what serves tomorrow from what people
// did until today.
//
// # The problem
//
// The parts of a model are learned in different ways, and each is of use only in the
// measure in which it finds what comes next. Somebody has to put them together, and has to do
// it the same way for a tenant's log and for a file that is measured.
//
// # The method
//
// [Behaviour] learns parts from the same sequences and lays them side by side:
//
//   - a transformer over the last events (package sequence);
//   - the likeness of texts to those of the last items, as it is: it learns nothing, and
//     finds what nobody touched yet;
//   - factored counts of what follows what (package transition). An item without counts
//     gets the factors that its text predicts, by ridge regression over those that have
//     them.
//
// How much texts and counts weigh beside the transformer is chosen on the validation cases,
// by the mean of 1/log2(1+rank) up to rank 100: a grid, the transformer at 1, where the usual
// weights are left only for ones that are better by more than two standard errors. Without
// validation cases they are the usual ones of [Options].
//
// # How to use it
//
//	result, err := train.Behaviour(ctx, train.Data{Items: ids, Text: vectors, TextDim: 256,
//		Sequences: sequences, Valid: cases}, train.DefaultOptions())
//	encoder, err := learned.New(result.Model)
//
// Beside it stand the packages that it uses and feeds: history makes sequences of a log,
// text fine-tunes the encoder of item texts, and package bundle keeps what was made.
//
// # Bounds
//
// Memory is that of the two trainers, one after the other, see [sequence.Options] and
// [transition.Options], and at most [MaxJudged] validation cases are looked at for the
// weights.
package train
