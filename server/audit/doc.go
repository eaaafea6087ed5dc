// Package audit keeps who did what to a tenant and when: keys made and revoked, settings,
// policies and models changed, logs exported, people erased.
//
// # What is kept
//
// One [Entry] for each act, in a file of JSON lines for each tenant, so that no tenant's acts
// push out another's. An act is written before it is done ([Log.Begin]) and once more when it
// has ended ([Log.End]), each time through to the disk. What cannot be written is not done,
// and an act that a crash cut short stands there without an outcome.
//
// Entries hold no secrets: callers are named by their key's public handle, and what looks like
// a key's secret is cut out of a target. They hold no ids of users or sessions either, since
// an erased person must not stand here for ever.
//
// # Bounds
//
// A tenant's entries take MaxBytes at most, 16 MiB by default: about 50,000 acts. They lie in
// two files; when the newer one is full, it takes the older one's place, and the oldest half
// ends. Copy the files, or read them with ListAudit, where acts must be kept for longer.
// [Log.Forget] removes acts by their age, where a tenant says how long they are kept.
//
// The folder lies beside the store. A backup has a copy of it ([Log.Copy]), and a restored
// store goes on with that: it tells of acts up to the backup, whatever moment was restored.
//
// All methods of [Log] are safe for concurrent use. One process may have the folder open: the
// store's lock sees to that.
package audit
