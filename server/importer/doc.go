// Package importer is the client behind `server import`: it streams a catalog and an event log from files to a running
// service, over the same gRPC calls that any other client has.
//
// # What it promises
//
// Every row of the files is accounted for. For items, read = added + changed + unchanged + stale + rejected; for events,
// read = added + duplicates + rejected. A row is rejected by its file's reader or by the service; either way it is listed
// with the reason, and the rows after it go on.
//
// Running again is safe. Events carry ids that depend on their content alone (package dataset), and the service counts an
// id once; items replace equal items. So an import that was interrupted is continued by running the same command, and a
// second import of the same files adds nothing and says so.
//
// The order of each user's events is kept. Events are dealt to [Options.InFlight] writers by their user (by the session
// where there is no user). A writer has one batch under way: while that batch waits for the disk, so do those of the other
// writers, and the service syncs them together. Between users there is no order.
//
// Memory is flat. Files are streamed, and what waits for a writer is bounded by [queuedBatches] batches each; the readers'
// own bounds stand in package dataset.
//
// # Faults
//
// What the service answers with UNAVAILABLE, retry_after_ms, or RESOURCE_EXHAUSTED with a time to come back is sent again after a jittered, growing
// pause, no earlier than the service asks for, until [Options.RetryFor] has passed without an answer for that batch. Then
// Run ends with [ErrGaveUp] and says how far it came. A batch whose connection broke may have landed before: sent again, its
// events come back as duplicates, so [EventCounts.Resent] says how many events were sent more than once.
//
// ImportItems answers once, at its end. A broken catalog stream is therefore begun anew; rows that landed in the first try
// are then unchanged.
//
// # Replacing a catalog
//
// In the mode "replace" the files are the whole catalog, and what is not in them disappears. A row that the reader cannot
// make sense of must not take its item away: so the file is read through once before anything is sent, and if a row is bad
// the import merges instead, removes nothing, and says so. The service holds back in the same way for rows that it rejects.
//
// # Old logs
//
// A tenant keeps events for a time, 400 days by default, and refuses older ones. A published log is older than that. So
// where the tenant has no events yet and the file's first ones are too old, Run lets the tenant's clock follow the log and
// raises its retention to 100 years, which needs a key of role admin, and says so; [Options.KeepSettings] leaves all as it
// is. A tenant that has events is never touched.
//
// # Use
//
//	summary, err := importer.Run(ctx, importer.Options{Format: "movielens", Data: "ml-latest-small"}, os.Stderr)
//	summary.WriteText(os.Stdout)
//
// [Command] is the same for a command line parsed by kong.
package importer
