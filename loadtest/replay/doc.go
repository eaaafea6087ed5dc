// Package replay walks an event log in time order against a live server and measures, before each event is revealed,
// whether the server would have shown it: ask, then tell. This is prequential evaluation (A. P. Dawid, "Present position
// and potential developments: some personal views: statistical theory: the prequential approach", 1984; for streams of
// recommendations: J. Vinagre, A. M. Jorge, J. Gama, 2014). Unlike a hold-out it judges the whole service as it runs: how
// soon a click counts, how the first visitors fare, how quality grows with the log.
//
// # How it goes
//
//  1. The log is read into memory and brought into time order, ties in file order. How far it was from that is told;
//     Options.MaxDisorder refuses what is further, and Options.MaxEvents what would take too much memory.
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
// With Options.Speed the steps after the warm-up keep to a multiple of real time, and a window also ends after a tenth of a
// second of the replay: so an event is told at most that much before its time. Result.LateMax says whether it kept up.
//
// # Figures
//
// An ask hits if the item of the next event stands among the first ten of the reply. HR@10 is the share of asks that hit;
// NDCG@10 is the mean of 1/log2(1+rank) over hits, 0 otherwise; MRR is the mean of 1/rank within Options.Limit items. All of
// the catalog competes, since the server chooses. An ask whose item the user had before can only hit if the seen policy
// keeps such items; their share is told as repeat_share. Coverage is the share of the catalog that stood in some first ten,
// and Gini's coefficient says how unequally the slots were shared out over all of it. Novelty is the mean, over the slots of
// the first tens, of -log2 p, where p = (events of the item + 1) / (events + items of the catalog) over what was revealed
// before the ask (P. Castells, S. Vargas, J. Wang, "Novelty and diversity metrics for recommender systems", 2011).
// Events of types that are no sign of wanting an item (Options.Ask) are written without an ask.
//
// All are told for the whole log, by tenth of what follows the warm-up, and by segment. New users and new items have fewer
// than five earlier events in the log when asked; light, middle and heavy users are thirds of the users by their events in
// the whole log. Segments overlap.
//
// # Going on after an end
//
// Options.Checkpoint names a file of JSON lines. The first says of which log and options the replay is; another log or
// option is refused by name. Then comes a line for each step, written before the step's events go to the server: the answers
// to its asks. A replay that was killed, or whose server went away for longer than Options.RetryFor, is called again in the
// same way. It reads the lines, counts their answers as they were, and writes the events of the last two again: the last one
// may or may not have reached the server, and counts once either way by its events' ids; the one before must be known, or the
// server is another one or has lost it, which is refused. So the figures are those of a replay that was never ended. The file
// takes about 250 bytes an ask; a kill loses nothing of it, a loss of power at most the last second, which then is refused
// with ErrKnown.
//
// # Determinism
//
// Asks of one wave see one state, writes come one after another, and each ask carries a seed drawn from Options.Seed and its
// place in the log. So on a fresh store one seed gives one result, whatever Options.Parallel is, as long as no reply lags
// (lag_share 0) and nothing else writes.
//
// What no seed decides: times (ask_*, wait_*, events_per_s, late_max_s); where in the log the server swaps in a rebuilt
// generation, which it does by its own clock (start it without periodic training and refresh after the import to compare two
// runs); and, for a tenant whose clock is the wall's, the decay of counters between two asks.
//
// # What the server needs
//
// The catalog must be there: CheckItems says what is missing. Old logs are refused by a tenant with the default retention:
// where it has no events yet, SuitTenant lets its clock follow the log and keeps events for 100 years. Events that the
// server knows already would mean that it saw the future: that ends the replay unless Options.AllowKnown.
package replay
