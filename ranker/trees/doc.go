// Package trees has a ranker score with gradient boosted trees that were trained
// elsewhere: files of LightGBM and of XGBoost.
//
// # The problem
//
// A data scientist has tools to train and to judge trees, on rows that the service logged
// (ExportDecisions gives them, by the names of the features). What comes out should serve
// as it is: nobody wants to port a model.
//
// # What is read
//
// LightGBM's text (model.save_model("model.txt")) of version 3 and later, and XGBoost's
// JSON (model.save_model("model.json")), boosters gbtree and dart. Columns are found by the
// feature names in the file, which must be those of ranker.Feature; a name that is not
// known is refused, and [Model.Unused] names the features that the file does not have. The
// score is the raw one (predict with raw_score or output_margin; a random forest's is the
// sum): a transformation such as the logistic function would not change an order. Refused by name: several classes, categorical splits (the
// ranker's features are numbers), linear leaves, and files that are cut off.
//
// Both formats become one form: a row goes left where its feature is at most a float32
// threshold. XGBoost's "less than" is "at most the number before", LightGBM's float64
// thresholds are rounded down to float32, which is what features are, and where LightGBM
// takes zero for missing, one node becomes up to three. No row goes another way for it.
// The known reader for Go, dmitryikh/leaves, reads neither XGBoost's JSON nor the names of
// the features, and does not show its trees, which must be bounded and explained here; so
// the two readers are this package's own. They are tested against the predictions of the
// real libraries: testdata/make.py made files and predictions.
//
// # How to use it
//
//	model, err := trees.Read(file)
//	pipeline, err := ranker.New(ranker.World{…, Model: model})
//
// # The contract
//
// A [Model] is immutable, safe for concurrent use, allocates nothing in steady state, and
// takes at most [MaxSteps] comparisons a candidate: a file that would take more is refused
// when it is read. BenchmarkScore500 says what they cost: about two nanoseconds each, so that
// 100 trees of depth 6 score 500 candidates in 0.6 ms. Four rows walk a tree side by side, so
// that none waits for its own memory, and none branches; a leaf leads to itself. Attribution is that of
// package attribution, from a row of zeros: a candidate of which nothing is known.
package trees
