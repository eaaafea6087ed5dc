// Package sentiment says how the words of a comment feel: from -1, the writer is angry,
// over 0 to 1, the writer is delighted.
//
// # The problem
//
// A comment is the plainest thing that somebody says of an item, and an event log counts
// it as interest whether it praises or curses. A behaviour model should be drawn to the
// first and pushed off by the second. A comment often has no rating beside it: the words
// must do. They are read when the log is trained on, or when the comment arrives, so a
// score may cost what its encoder costs and little more.
//
// # The choices
//
// [Lexicon] is VADER: 7,500 words and emoticons with a valence that ten people gave, and
// rules for negation, emphasis and "but". It needs no training, knows English alone, and
// does not know that a battery that "lasts all day" is good. It is github.com/jonreiter/govader,
// which is MIT licensed, has no releases and was last changed in April 2025; what it costs
// and what it may do wrong is contained here (one analyser, bounded texts, panics as errors).
//
// [Head] is a regression from three views of a text to what people felt:
//
//   - its vector by an [embed.Encoder], less the mean of the training texts, at unit length;
//   - the four figures of the lexicon (compound, positive, negative, neutral);
//   - its words and pairs of words, those after a negation as other words ("NOT_good"),
//     hashed to [Slots] slots, at unit length.
//
// The encoder knows what means alike and generalises; the words are what it blurs, since
// "loud" and "quiet" mean nearly the same to it. The regression is ridge in its dual form:
// one Gram matrix, one Cholesky factor (gonum), and the weights follow. Options.Kernel
// puts exp(-Kernel·|x-z|²) of the vectors in place of their inner product. That is worth
// about .01 of correlation, and the head then keeps the vectors of its training texts. [Refine] never does: what it adds is linear,
// so that no vector of a customer's comment stands in a file.
//
// A head belongs to one encoder, and names it; with another it is refused ([ErrEncoder]).
// [Default] is a head for the embedded static encoder.
//
// # How to use it
//
//	enc, err := static.Default()
//	head, err := sentiment.Default()
//	model, err := head.With(enc)
//	out := make([]float64, len(comments))
//	err = model.Score(ctx, comments, out) // -1 to 1; times Scale it is -4 to 4
//
// For another encoder, [Train] on rated texts ([ReadTSV]), with options from [Tune]; and
// [Refine] on a tenant's own comments that have ratings beside them. Refine keeps a fifth
// of them apart, and gives back the head it was given when the refined one is no better.
//
// # A better transformer
//
// The upper layers of a transformer that was trained for similarity forget feelings: the
// package lower loads the first layers of one as an encoder, and sentiment does best with four of
// MiniLM's six, which are also a third cheaper.
//
// # What it is worth
//
// Pearson's r with the mean of 20 people's ratings, 3,708 sentences of product reviews
// (all of one review together), five folds by review, options chosen by three folds inside of the
// training part (go run ./loadtest sentiment):
//
//	                                     lexicon   linear   chosen   seconds
//	static-minilm-256                      .589      .747     .756        80
//	all-minilm-l6-v2, all six layers                          .787        90
//	all-minilm-l6-v2, all or the first four                   .803       245
//
// Linear is [DefaultOptions], those of the embedded head; wherever there was a choice a kernel
// was chosen, and the first four layers. Over folds r spreads from .79 to .83 in the last
// row. Seconds are on two cores that others were using too.
//
// # Bounds
//
// Of a text the first [MaxBytes] bytes are read. Training takes 16 bytes for each pair of
// texts, so it is bounded by [MaxExamples], about a gigabyte; Options and reports say so.
//
// # How to write your own
//
// Anything that turns texts into numbers from -1 to 1 is a [Scorer]; a worker with a large
// language model is ten lines.
//
// # Source
//
// Hutto and Gilbert 2014, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
// Social Media Text", for the lexicon and the rated sentences, both MIT. Wang and Manning
// 2012, "Baselines and bigrams", for pairs of words. The licence and origin of the
// embedded head are in model/NOTICE.
package sentiment
