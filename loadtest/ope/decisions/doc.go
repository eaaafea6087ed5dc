// Package decisions makes a log to judge policies by from what Kindred exports: the decisions (what was shown, with which
// score and propensity, and a sample of what was not) and the events that followed.
//
//	log, err := decisions.Read(decisions.Options{Decisions: "decisions.jsonl", Events: "events.jsonl", Reward: []string{"click"}, Window: 24 * time.Hour, MaxRows: 1e6})
//	...
//	target, err := log.Temperature(0.5, decisions.TargetOptions{})
//	result, err := ope.Evaluate(ctx, &log.Log, target, ope.DefaultOptions())
//
// # Files
//
// Both are messages of AdminService.ExportDecisions and ExportEvents as protobuf's JSON, one after the other, as grpcurl
// prints them: with or without line breaks within a message, with names in either style. A line may also be one Decision or
// Event. Files may be packed with gzip or zstd. Order is of no matter. A decision that comes twice is an error, as its
// rewards would count twice; an event that comes twice counts once.
//
// # Rewards
//
// A shown item earns 1 if an event of one of the types asked for names the decision's recommendation_id and the item, and
// happened within the window after the decision; else 0. What did not join is counted in [Log.Notes].
//
// # Targets
//
// A row of the log is a slot, its propensity the one given the slots before it (the server's DESIGN of lists: slots are drawn
// one after the other, without replacement). A target's probability is therefore also that of the slot given the log's
// slots before it, and ope.Cascade multiplies them up to what the beginning of the list is worth.
//
//   - [Log.Uniform] draws each slot evenly from all candidates that are left. Exact: the log has their number.
//   - [Log.Temperature] draws each slot in proportion to exp(score/T), T > 0: the exploration of the server, at another
//     temperature, by the logged scores; rules, caps and diversity are not re-applied. The scores of all candidates are
//     needed, so that it is exact where the sample of losers holds all that were not shown, and refused elsewhere unless
//     TargetOptions.Estimate lets the sample stand for all: then the result is approximate, and more so the lower T is.
//   - [Log.FromFile] reads the probabilities from a JSONL of recommendation_id, slot (from 1) and probability. Its
//     alternatives are unknown, so that there is no doubly robust estimate.
//
// Uniform and Temperature have alternatives: the shown items further down the list and the losers, who stand for all that
// were not shown. TargetOptions.KeepForced keeps slots that were logged with propensity 1, such as pins, for the target, too;
// otherwise what else the target would do there counts as unexplored.
package decisions
