// Package store keeps the data of all tenants on disk, in one Badger database.
//
// # The problem
//
// A shop's events and catalog rows must survive once they are acknowledged, count
// once however often they are sent, and be read back in order, by person and by
// item, fast. One process serves many shops on a small machine, so that memory is
// bounded by [Options] and a restart takes a second.
//
// # How to use it
//
// [Open] a directory with [DefaultOptions], make a tenant with
// [Store.CreateTenant], take its handle with [Store.Tenant]. Changes are
// mutations (package record) and go through [Tenant.Append]; what is derived from
// them follows with [Tenant.Follow]. Everything else reads. [Store.Close] ends it.
//
// # The log
//
// A tenant has one ordered log. Append gives each mutation that changes something
// a place in it, a sequence that only grows, over restarts and crashes too; gaps
// are allowed. The log keeps an event until it expires. Of an item and of a
// profile it keeps the last change alone, at its own place: its size follows the
// catalog and the events, not the number of price changes, and a reader from
// place 0 still meets every row (as Kafka's compacted topics have it). A follower
// from any place is told of all that changed since.
//
// # What an acknowledgement means
//
// One goroutine, the committer, takes all batches that wait (bounded by count and
// bytes), decides them against the database, writes one transaction, syncs once
// and answers all: group commit (DeWitt et al., Implementation techniques for main
// memory database systems, 1984). An answered batch survives kill -9 and a power
// cut. How that stands with Badger, whose files are memory maps, is said at writer
// in writer.go; a test traces the system calls, another kills the process at
// random. What is written can be read by others a moment before it is durable;
// followers and [Tenant.Head] see only what is durable. Decisions and page lists
// ride along without a sync of their own.
//
// Sending again is always safe. An event id is kept, as a keyed hash, exactly as
// long as its event, and events older than that are refused; an equal event is
// Unchanged and keeps its first place, another one of the same id is refused. A
// row with equal content is Unchanged, one with an older source time Stale. Most ids are
// new, which a filter of Options.EventFilter bytes tells without a look at the database
// (seen.go).
//
// # How long things are kept
//
// Events, decisions and page lists carry their end with them and go by themselves, by
// the machine's clock. Where a tenant's setting has become shorter since they were
// written, [Tenant.ExpireEvents] and [Tenant.ExpireDecisions] remove them, an event always
// with what its id was used for and its place in a history. [Store.VerifyServed] holds all
// of them against each other while they come and go.
//
// # Persons
//
// A raw user or session id stands in the directory alone. Everything else has a
// random number in its place, so that taking the id out severs a person from
// whatever is left, in backups as well. Users and sessions have separate name
// spaces. An event belongs to its user, else to the user that its session was
// merged into, else to its session; a merge moves the session's history under the
// user. An erase removes the directory entries of the user, of the merged sessions
// and of those that were named beside the user and have no events of their own; it
// removes the events from log and histories, what their ids were used for, the
// profile, the decisions and the lists, and leaves a record with a keyed hash of
// the id. The bytes leave the disk as Badger merges its tables; [Store.Compact]
// does it now.
//
// # Keys
//
// Every key is the tenant's number (4 bytes), a kind byte and big-endian parts, so
// that a scan is a range (key.go). An event costs three keys: its row in the log,
// the same bytes under its owner with the sequence inverted, so that a history is
// one forward scan, and the hash of its id. Values are a format byte, a kind byte
// and a protobuf message of internal/storepb; a value that cannot be read is
// record.ErrCorrupt and names its place, never a panic.
//
// # Promotions
//
// Which trained model serves is a mutation like others (record.Promotion): it stands in
// the log for ever, names the one it takes the place of, and is refused where that is not
// the last. [Tenant.Promotions] follows the chain from the last one back.
//
// # Backups
//
// [Store.Dump] reads everything as of one moment, or what has changed since an earlier
// dump, and [Load] makes a store of such a chain. Rows keep their versions, so that the
// order of loading is of no account; removals come from a journal (journal.go), because
// Badger forgets them. A loaded store has a new epoch: write tokens of before are noticed.
// [Replay] brings it forward to any later moment by the log of a later state, and
// [Store.EraseAgain] applies erases of which it does not know yet. Package backup puts
// files and checksums around this.
//
// # Forms
//
// A row notes the form of the store ([Schema]). Open brings an older one forward, and
// refuses a newer one with record.ErrNewer.
//
// # Vectors
//
// The vectors of a slow text encoder are kept by the hash of the model and that of the
// text (vectors.go): they are derived, belong to nobody's person, and are no part of the
// log. Like decisions they survive the end of the process and are not synced.
//
// # Limits
//
// Past the bounds of the queue Append answers record.ErrOverloaded at once. Below
// Options.Reserve bytes of free space all writes answer record.ErrDiskFull, reads
// go on, and writes go on as soon as there is space: Badger itself does not survive
// a full disk, because a memory map that finds no space ends the process, so that
// it must never meet one. If something else fills the last bytes in spite of the
// reserve, the process may end; what was acknowledged is there at the next start.
// After a failed write or sync the store takes no more writes until it is opened
// again, for nobody knows what of it reached the disk.
//
// # Damaged files
//
// Badger takes a log that is damaged in its middle for one that a crash cut short, removes the
// tables that a damaged MANIFEST does not name, and reads past a block of a table that is
// damaged as if there was nothing in it. So Open reads every log and every table before Badger does
// (inspect.go; some hundred megabytes a second and core), and refuses a damaged directory with a
// *DamageError, which names the files and the ways out; nothing is changed then. What is missing at
// the end of a log is known by the file SYNCED, which says up to where everything was
// synced (synced.go). [Options].Repair opens a store with damaged logs with all that can be read of them
// (mend.go). Files that hold nothing of ours, such as the value log, are set aside and made anew.
// A table that is damaged while the store is open is found by [Store.Verify] or the next Open.
//
// # Another engine
//
// Package storetest holds the seam as an interface and the conformance suite that
// this package passes.
package store
