// Package training makes a trained model, a bundle, of what people did: of a tenant of a
// running service, or of files.
//
// # The problem
//
// A log is in the order of time, dirty, and says of items no more than their ids; a trainer
// wants clean sequences of numbers and vectors of texts. And a model that is good on the
// log it was trained on may read acts otherwise when it serves. What lies between the two is
// written here once, the same for a log and for files.
//
// # The method
//
// [Run] goes from a [Source] to a bundle:
//
//   - history.Build cleans the acts: robots, duplicates, what has no item. Types weigh as
//     the tenant's settings say, a rating by its value, and a comment by its sentiment.
//   - The items that somebody acted upon get the vectors of their texts, by the encoder of
//     the service. Others are not learned of, and are served by their texts.
//   - Up to Options.Cases users are drawn; the last item of each that speaks for itself and
//     is news, that is, was not touched before, is the validation. What came after it is
//     left out.
//   - Events are numbered by type where there is more than one, by the time since the one
//     before where times are real, and by whether they speak for the item where types leave
//     that open. Acts that speak against an item, and a second act on the same item right
//     after the first, are read and not learned to be predicted.
//   - The ranker's weights are fitted to the new vectors on the validation (package
//     ranker/holdout), where there are 50 cases and at most 200,000 items, and go with the bundle.
//   - A source that knows what was shown ([Logged]) has the ranker learn from that, where 200
//     choices of its decision log have the features of this release: package ranker/clicks
//     joins lists with what came of them, by the objectives and their weights. Features of
//     the users' space keep what the validation said, since the lists were logged under
//     another encoder. A fifth of the lists is kept apart and gives probabilities (package
//     ranker/calibrate) and how reliable they are.
//   - Weights score, or a network where it is clearly better (package ranker/selection), or a
//     data scientist's own trees, as Options say.
//   - train.Behaviour trains; the model and, beside it, plain popularity are ranked on the
//     validation; and a manifest says all that is known.
//
// # How to use it
//
//	conn, err := grpc.NewClient(addr, …)
//	tenant, err := training.Connect(ctx, conn)
//	result, err := training.Run(ctx, tenant, training.Options{Dir: dir, Encoder: encoder})
//	_, err = tenant.Upload(ctx, result.Bundle)
//	verdict, err := tenant.Promote(ctx, result.Bundle.Hash(), "nightly")
//
// # The figures
//
// A case is ranked among all items with events, less those in its history; items of the same
// score rank before the answer. Popularity is the number of events in the training part.
// The final model has not seen the answers, nor what followed them.
//
// # Too little
//
// A log of fewer than [MinEvents] events that speak for an item, [MinUsers] users with two
// of them, or [MinItems] items is [ErrTooLittle]: who trains by the clock waits.
//
// # Memory, and going on
//
// Options.Memory bounds the buffers, the vectors of texts and the trainer, which says before
// it begins if it needs more. With Options.Checkpoint a run that was killed goes on from its
// last epoch, on the same part of the log. A checkpoint of other data, or one older than a
// day, is removed and training begins anew.
package training
