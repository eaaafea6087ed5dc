// Package record holds the vocabulary of a tenant's data: what a shop keeps
// about its items, events, profiles and decisions.
//
// These are plain values. They know neither protobuf, nor Badger, nor gRPC:
// server/api converts the wire to them, server/store keeps them on disk,
// server/shop works with them. A value that passed its Validate is well formed
// (bounded, UTF-8, finite); whether it fits the tenant (declared attributes,
// currency, event types) is for server/shop to say.
//
// # The log
//
// Everything that changes a tenant is a [Mutation]. The store puts mutations
// into one ordered log and answers each with an [Outcome]; what it stored comes
// back, in order, as [Entry] values. All else is derived from the log.
//
// # Numbers
//
// Items are numbered from 0 as they are first mentioned, by a catalog row or by
// an event. A number is never given to another item, so that counters, vectors
// and index agree across restarts. Users and sessions get a random number, so
// that erasing the directory entry severs a person from their rows.
//
// # Concurrency
//
// Values are not synchronised. A value handed to the store or received from it
// must not be changed afterwards.
package record
