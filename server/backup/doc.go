// Package backup copies a store with its trained models into a directory, while it is
// served, and makes a store of such a directory again.
//
// # The problem
//
// A disk is lost, or a feed has overwritten the catalog an hour ago. A copy must be of one
// moment although writes go on, must be small enough to be taken every hour, must say
// before a restore whether it is whole, and must not bring back a person who was erased.
//
// # The form
//
//	DIR/0001/manifest.json   see [Manifest]
//	DIR/0001/rows-0001.kv    rows, in Badger's own backup format
//	DIR/0002/...             what has changed since 0001
//	DIR/0001/audit/...       the audit log, a copy in each backup
//	DIR/bundles/1-HASH.tar   a trained model of tenant 1, once for all backups
//	DIR/unfinished/          the one being taken
//
// A manifest lists its files with their SHA-256, the last place of each tenant's log, the
// form of the rows and the epoch, and carries the checksum of the manifest before it and
// its own. A backup adds to the one before it, or is full; a full one and those up to the
// next full one are a chain. To have room, remove whole chains from the front.
//
// # What is in it, and what is not
//
// All rows of the store: events, catalog, profiles and merges, decisions, page lists, kept
// vectors, erases and promotions, settings, policies, experiments, API keys (their hashes,
// never the secrets), counters, a replacement under way and the catalog before it. All
// trained models. The audit log, as of the end of the backup.
//
// Not in it: indexes, which a start builds of the rows; flags and configuration files, TLS
// keys and certificates, which are the machine's; what a process holds in memory, such as
// metrics, quotas used up and exposure of the day, which begins anew or is counted from the
// decisions. A backup of before format 2 has no audit log: the restored store begins one.
//
// # How to use it
//
//	m, err := backup.Take(ctx, dir, source, backup.TakeOptions{})
//	report, err := backup.Restore(ctx, backup.RestoreOptions{From: dir, Data: newData, Store: store.DefaultOptions()})
//
// [Local] is a source in this process; the command line has one that asks a running
// service. A backup that breaks off goes on with the next Take: what has come is kept,
// and what changed below it meanwhile comes on top, so that the whole is of the later
// moment. One process at a time takes a backup into a directory.
//
// # A moment
//
// A restore is exact at the moments of the backups. Between two it goes forward from the
// first by the log of the second: every event received up to the moment is there, and of
// an item or profile its last change if that was not after the moment, else its state in
// the first (see store.Replay). Settings and keys are those of the first, models and the
// audit log those of the second; the catalog before a replacement is not kept then.
//
// # Erases
//
// An erase outlives backups: a restore applies each erase that any backup in the directory
// knows of, those after the moment restored too, and those of RestoreOptions.Erased, the
// list that a service keeps (store.EachErased). They name numbers, not persons. What was
// erased after the last backup, on a store that was then lost with its list, is known to
// those alone who asked for it: keep the requests until the next backup is taken, and send
// them again after a restore. The rows stay in the files of the backups until these are
// removed; a directory of backups needs the same protection as the store.
//
// # The contract
//
// Restore reads every file and checks every checksum before it writes anything, writes
// beside the new directory and puts it in its place by a rename. The restored store has a
// new epoch: write tokens of before are noticed, and the first backup of it must be full.
// Indexes are no part of a backup, a start builds them; counters are, but for a moment
// between backups, where a start makes them of the log.
package backup
