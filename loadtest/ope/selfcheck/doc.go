// Package selfcheck tries package ope where the truth is known: worlds whose rewards are probabilities in a table, so that the
// value of any policy is a sum over that table. From each world many logs are drawn; each is judged; and what is counted is
// how far the estimates lie from the truth, how wide their intervals are, and how often they hold it.
//
//	for _, w := range selfcheck.Worlds() {
//		figures, err := selfcheck.Run(ctx, w, selfcheck.Options{Runs: 1000, Judge: ope.DefaultOptions()})
//		...
//	}
//
// The worlds are chosen to be hard in one way each: a target far from the log, rare rewards, a target that leaves nothing to
// chance, lists whose slots depend on each other, decisions of the same user. An interval with 95% confidence should hold the
// truth in 93 to 97 of a hundred logs in each: with 1,000 logs, chance alone moves a coverage of 95% by 1.4 points (two
// standard deviations).
//
// A world of your own is a [World] with a Draw function and its Truth.
package selfcheck
