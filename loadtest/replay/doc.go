// Package replay walks an event log in time order against a live server and measures, before each event is revealed,
// whether the server would have shown it: ask, then tell. This is prequential evaluation (A. P. Dawid, "Present position
// and potential developments: some personal views: statistical theory: the prequential approach", 1984; for streams of
// recommendations: J. Vinagre, A. M. Jorge, J. Gama, 2014). Unlike a hold-out it judges the whole service as it runs: how
// soon a click counts, how the first visitors fare, how quality grows with the log.
//
// # How it goes
//
//  1. The log is read into memory and brought into time order, ties in file order.
//  2. A first share of it, the warm-up, is only written.
//  3. The rest is cut into windows of Options.Window events. Within a window the first events of all its users form a wave,
//     then their second ones, and so on. Of a wave, every event's user is first asked for recommendations, many at once, and
//     after all have been answered the wave is written. The write token of that write is the next asks' min_write_token, so
//     that each reply reflects all that was revealed before it, the user's own last event included, or says by how far it
//     lags.
//
// So each user's own order is kept to the event. Between users, an event can only change places with events of its own
// window: the global order is off by less than Options.Window events. A window of 1 keeps it wholly, one call at a time.
//
// # Figures
//
// An ask hits if the item of the next event stands among the first ten of the reply. HR@10 is the share of asks that hit;
// NDCG@10 is the mean of 1/log2(1+rank) over hits, 0 otherwise; MRR is the mean of 1/rank within Options.Limit items. All of
// the catalog competes, since the server chooses. An ask whose item the user had before can only hit if the seen policy
// keeps such items; their share is told as repeat_share. Coverage is the share of the catalog that stood in some first ten.
// Events of types that are no sign of wanting an item (Options.Ask) are written without an ask.
//
// # Determinism
//
// Asks of one wave see one state, writes come one after another, and each ask carries a seed drawn from Options.Seed and its
// place in the log. So on a fresh store one seed gives one result, whatever Options.Parallel is, as long as no reply lags
// (lag_share 0) and nothing else writes.
//
// # What the server needs
//
// The catalog must be there: CheckItems says what is missing. Old logs are refused by a tenant with the default retention:
// where it has no events yet, SuitTenant lets its clock follow the log and keeps events for 100 years. Events that the
// server knows already would mean that it saw the future: that ends the replay unless Options.AllowKnown.
package replay
