// Package clicks makes training samples of what was shown and what people did with it.
//
// # The problem
//
// What somebody does next says what they wanted, not what a list did for it. The decision
// log says what was shown where, with the features as they were; events that carry the
// recommendation's id say what came of it. But a click is no vote: what stands first is
// looked at more, a purchase is worth more than a click, and what exploration showed seldom
// was seen seldom.
//
// # The choices
//
// A decision is joined with its outcomes: events of an [Objective] that name it and one of
// its items, within the objective's window. Each item that was acted on is a choice
// (fit.Sample) among all items of the list, which weighs
//
//	Σ weights of the objectives that came to pass × min(1/propensity, clip)
//
// Position: each row has ranker.Position set to minus the logarithm of its slot. What is
// learned from the samples learns the slot's part beside the rest and leaves it out when
// serving (examination: Craswell et al., 2008; jointly fitted: Guo et al., PAL, 2019).
//
// Propensity: an item that the policy showed in this slot with probability p stands for 1/p
// showings (Horvitz and Thompson, 1952; Joachims et al., 2017, for ranking). The weight is
// clipped, by default at 10: a little bias for much less variance. A deterministic policy has 1.
//
// Candidates that were not shown (the losers of a decision) are no part of a sample: they
// were not looked at, so that nobody decided against them. Lists on which nobody acted say
// nothing about order; they count for calibration only.
//
// A fifth of the decisions, drawn by a hash of their ids, is kept apart: [Log.HeldOut]. No
// model is trained on it, so that probabilities can be fitted and judged there (package
// calibrate).
//
// # How to use it
//
//	log, err := clicks.New(clicks.Options{})
//	for outcomes { log.Outcome(o) }   // first: they are fewer
//	for decisions { log.Decision(d) }
//	result, err := selection.Choose(ctx, log.Samples(), prior, selection.Options{})
//	for _, s := range log.HeldOut() { … }
//
// # The contract
//
// No I/O, no clock, no chance: equal input gives equal output, whatever the order of outcomes.
// Memory is bounded by [Options]; what is left out, and why, stands in [Report]. A Log is used
// by one goroutine.
package clicks
