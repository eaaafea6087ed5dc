// Package calibrate turns scores into probabilities: how likely is a click, a purchase, on
// an item that is shown first with this score.
//
// # The problem
//
// A ranker's score orders candidates; 3.2 says nothing by itself. A merchant who wants to
// mix in offers, and a data scientist who wants to bid or to cut a list off, need a
// probability that means what it says: of all items shown with 5%, one in twenty is clicked.
//
// # The method
//
// On impressions that the model was not trained on, each with its score where it stood and
// whether it was acted on, a monotone [Curve] is fitted for each objective. With few
// successes it is Platt's: a logistic function of the score, with his targets that keep it
// from being too sure. With many (at least [ManySuccesses]) it is isotonic: the pool of adjacent
// violators, the best monotone function there is, read between the middles of its
// blocks in a straight line. A curve never falls, so that it changes no order.
//
// Scores of one request can be compared with each other by the model's training; that they
// can be compared between requests is what calibration checks: [Reliability] says by how
// much the promises of a curve are off on other impressions (the expected calibration
// error), and belongs beside the curve.
//
// # How to use it
//
//	curve, err := calibrate.Fit(impressions)
//	report := calibrate.Reliability(curve, others)
//	model := calibrate.With(network, calibrate.Calibration{"click": curve})
//	p := model.Probability(score) // ranker.Calibrated
//
// # The contract
//
// Curves and models are immutable and safe for concurrent use; Probability allocates
// nothing. Fits are deterministic.
//
// Sources: Platt, Probabilistic outputs for support vector machines, 1999, in the form of
// Lin, Lin and Weng, 2007; Zadrozny and Elkan, 2002, for isotonic regression; Naeini et al.,
// 2015, for the expected calibration error.
package calibrate
