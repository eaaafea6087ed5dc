// Package export writes what a running service has to files that other tools read: the event log, the catalog, the decision
// log, and features to train on.
//
// # What
//
//   - Events: the log in its order, with the columns of package dataset, as jsonl, csv or parquet. What is written replays
//     (loadtest replay) and imports (server import). The event's own ids stay, so that an import into the same store adds
//     nothing. Events that were erased are not in the log any more.
//   - Items: the catalog, likewise. Vectors that a caller brought, and lists of bools or times, have no column in those
//     formats: such an item is written without, counted, and told.
//   - Decisions: parquet, a row for each reply of the decision log. The columns are the fields of the wire's Decision as they
//     are when this is built: a new field is a new column, no code. Enums are written as their short names ("page"),
//     timestamps in nanoseconds, messages as groups, repeated ones as repeated groups. A field without presence is never null.
//   - Features: parquet, a row for each item of a decision, the shown ones and the sampled losers. The single fields of the
//     decision stand beside those of the item; "shown" tells the two apart, "slot" counts from 1 (0: a loser), and the group
//     "features" has a column for each feature name that any decision of the export has: null where that decision has not.
//     "clicked" and "purchased" are what became of it, null for losers.
//
// # Outcomes
//
// An item was clicked if an event of Options.ClickTypes names its recommendation and comes within Options.Window of the
// decision. It was purchased if an event of Options.PurchaseTypes does; or if the same person, having clicked it in that
// reply, did so later without naming one, within the same time. (Of several such clicks the last one counts.) Times are those
// of the tenant's clock where the decision has it. An event before its decision, as clocks may differ, counts as at once.
//
// # Faults
//
// A stream that breaks is taken up where it broke, for as long as Options.RetryFor: events after the last write token,
// decisions from the time of the last one, without those that came. A file appears under its name when it is whole; one that
// was there is replaced. An export that was killed is begun anew, and leaves no file but hidden ones, whose names begin with
// a dot.
//
// # Memory and disk
//
// Rows are streamed. Decisions take part in a group of Options.GroupRows at a time. Features need to know all names before
// the first row, so the decisions first go into a hidden file beside the target. Outcomes are held in memory, about 200 bytes
// for each clicked item, up to Options.MaxOutcomes, past which the export ends in ErrLimit.
package export
