// Package experiment reads an experiment out of a server's logs: which variant did how well, and whether that is more than
// chance, at any time and as often as one likes.
//
// # What is counted
//
//   - A user is who the server's hash put into a variant (Assignment of kind hash); listed testers, requests that name a variant
//     and anonymous calls are left out, and counted. So are lists of newcomers: a server has no number for somebody who wrote no
//     event yet, and their lists cannot be put together. A variant that makes more newcomers act thus gains users of another
//     kind than the control has; where newcomers are many, have the frontend write an event (the view of the page) first. The first variant counts for good: who changed it later, as shares were
//     changed, stays where they began (intention to treat).
//   - A user's figures are of a fixed window after their first list, and count when the window is over. Only so are they final,
//     which the statistics need; users whose window is open are told apart.
//   - Items shown are those of all lists of the window but bulk ones. A click is an event of a type in Options.Clicks that
//     names the list, once for each list and item. A purchase counts if it names a list of the experiment, or is of an item that
//     the same user id clicked in one, within the window; which variant is shown decides nothing of that.
//
// # What is said
//
// Each variant is set against the first, the control, by three figures: clicks per item shown, the share of users who clicked, and
// purchases per user. Each has an interval that holds at all looks at once and a p value that is always valid, by package
// sequential with the user as the unit; the error probability is divided among all figures of all variants. Whether users fell
// to the variants as they should is checked first: if not, Result.Mismatch is set and the rest is not to be trusted.
//
// # How to use it
//
//	result, err := experiment.Run(ctx, experiment.Server(conn), experiment.Options{Name: "ranker-2", Window: 24 * time.Hour, ...})
//
// Files has the same from the JSON of ExportDecisions and ExportEvents. Memory is about 100 bytes a decision and a click,
// bounded by Options.MaxDecisions. Nothing is synchronised.
package experiment
