// Package evaluate measures how well the recommender finds the next item of
// logs that it was not trained on.
//
// # The problem
//
// A figure is only worth something if others can compare with it and if it is
// about what is served. So the protocols are those of the literature, and the
// candidates, features and weights are those of package ranker, the same code
// that answers live requests.
//
// # Protocols
//
// Each question is a history and the one item that came next. All items of the
// catalog are ranked; an item that is not returned ranks last; among equals the
// target comes last. [Published]: the rows that came with the data (amazon),
// where repeats are allowed. [LeaveOneOut]: the last item of each user is the
// test and the one before it the validation, and items of the history are hidden.
// [GlobalTime]: the whole log is cut at one moment, so that nothing is trained on what came
// after a question; [RollingWindows]: the same several times, trained anew for each.
// Figures of two protocols do not compare: they ask other questions of other users. By time
// newcomers with short histories are asked, several questions each, about items that training
// hardly met, and nobody else's future helps.
//
// Data that cannot be evaluated (an empty log, a single item, a cut that leaves no
// questions) end in [ErrNoQuestions] or dataset.ErrProtocol before anything is trained.
//
// Counts come from the train part alone: nothing is refitted on validation, and
// the histories of the test are input only, never counted, even where they hold
// more than the train part.
//
// # Stages
//
// [Retrieval] ranks by the inner product of the behaviour vector and the item
// vectors, exactly, and nothing else: it measures the encoders. [Full] is the
// serving pipeline without exploration. Splits: [Test], which figures are quoted
// for, and [Valid], for tuning. Looking at Test often makes it a validation set.
//
// # How to use it
//
//	result, err := evaluate.Run(ctx, evaluate.Options{Format: dataset.Amazon, Dir: dir}, nil)
//	err = result.WriteJSON(os.Stdout) // one line
//
// # Figures
//
// hr_at_k is the share of questions whose target is among the first k;
// ndcg_at_10 is 1/log2(1+rank) where rank ≤ 10, else 0; mrr is 1/rank; all are
// means over questions. coverage is the share of the catalog that stands in the
// first ten of some answer. seconds is all of it, reading included.
//
// Intervals are of 95%, by resampling users with all of their questions (package metrics),
// and only of ten users or more. [Beyond] says what the first ten of the answers look
// like, right or wrong: variety, novelty, popularity, calibration, sellers, and how short and
// long histories fare. The accuracy, list and bootstrap functions are held against trec_eval, ranx and
// SciPy in package metrics.
//
// # Contenders
//
// Options.Compare asks others the same questions: a mean of text vectors or what was learned,
// other weights, a bundle, a policy of re-ranking, and the two baselines that any recommender must
// beat, popularity and item neighbourhood. They share what was trained and counted; each is told
// with the interval of its difference, question by question. A bundle was trained elsewhere: where its
// data end after the train part, the note says that it may know the answers. Items that are not
// returned rank last for the pipeline, which returns a hundred, and for neighbourhoods, which
// score few; popularity scores all that were met.
//
//	c, err := evaluate.ParseContender("varied=policy.json")
//	result, err := evaluate.Run(ctx, evaluate.Options{…, Compare: []evaluate.Contender{c}}, nil)
//	err = result.Page().WriteFile("report.html")
//
// # Variety
//
// Options.Diversity and Options.NewItems ask the same questions again under policies of
// re-ranking (package rerank) and say in [Variety] what lists of ten look like: how many
// categories they hold, how far apart their items are by category and by text, how much of
// the catalog is shown at all, how places go to popular and to rare items, and what it
// costs in NDCG@10.
package evaluate
