// Package history turns a stream of events into what models are trained on: each user's
// acts in time order, weighed and cleaned, and pairs of items that belong together.
//
// # The problem
//
// A shop's log is in the order in which things happened, larger than memory, and dirty: clients
// send an event twice, robots read the whole catalog, a comment may praise or curse. A
// sequence model wants one user after another, again and again, in an order that changes
// with each epoch and is the same for the same seed.
//
// # The method
//
// [Build] reads the stream once. Each act gets its item's number and its weight and goes to
// an external sort by user and time (sorted runs in a folder, merged). What comes out is cleaned user by
// user and written to one file, in blocks, which is read as often as training wants.
//
//	build, err := history.Build(ctx, acts, history.Options{Dir: dir, Types: types, Sentiment: scorer})
//	defer build.Close()
//	fmt.Println(build.Report())
//	for epoch := range 10 {
//		for h, err := range build.Shuffled(seed, uint64(epoch)) {
//			cut, ok := history.LeaveOneOut(h) // train on cut.Train
//		}
//	}
//
// # Order
//
// Users come in the order of a hash of their id and the seed, which is as good as drawn; [Log.Shuffled]
// shuffles that anew for each epoch. A user's acts are in the order of their times, equal ones in the order of
// the stream. An act without a time stands before those with one, in the order of the stream. Synthetic times
// order acts and say nothing else: gaps are not known, nothing is called a duplicate or a robot by them.
//
// # Weights
//
// A [Type] has a weight, and a scale if it is a rating: the weight then goes from -Weight at the scale's
// least to Weight at its most. A comment's weight is multiplied by its sentiment, from -1 to 1. What is below
// 0 repels: the models take it as a negative, and splits never ask for it.
//
// # What is set aside
//
// In this order, and each counted in [Report]:
//
//   - acts without a user or an item, and of types that are not in Options.Types;
//   - users with more than Options.MaxUserActs acts, whole: no person did so much;
//   - acts with an id that the same user's earlier act has;
//   - users who did more than Options.PerMinute, PerHour or PerDay acts in a sliding
//     minute, hour or day, whole: robots;
//   - acts of the same type on the same item less than Options.DuplicateGap after the last one that
//     was kept, whatever their values and texts.
//
// Nothing else is left out.
//
// # Splits
//
// [LeaveOneOut], [ByTime] and [LastOf] cut one history into what is trained on and what is asked. The
// question of a cut is always an act that attracts, with all before it as history; nothing of
// the training part is newer than it. [ColdItems] draws items that training should not see, [Without] takes them out.
//
// # Pairs and counts
//
// [Log.Pairs] counts which items follow each other within a window, for contrastive training of
// text encoders; [Log.Counts] how often each item was acted upon, for the correction of popularity; and
// [NewVocabulary] numbers those that have been seen often enough for a row of their own.
//
// # Small inputs
//
// An empty stream gives an empty log: no users, no items, a report of zeros. One item gives no
// pairs. A user with one act has a history of one event, which no split asks about.
//
// # Memory and disk
//
// Options.Memory bounds buffers; beside it are the ids of the items, about 100 bytes each, one user's acts, and
// a block for each open iterator. The disk holds the log about twice, packed, 10 to 30 bytes an
// act. In a test of 600,000 acts with 2 MiB of memory the heap grew by 14 MB, garbage included; an act costs 1.7 µs.
// A log is read by any number of goroutines.
//
// # Source
//
// Counting pairs and popularity follow Yi et al. 2019, "Sampling-bias-corrected neural modeling", and
// the splits Zhao et al. 2020, "Revisiting Alternative Experimental Settings for Evaluating Top-N Item
// Recommendation Algorithms".
package history
