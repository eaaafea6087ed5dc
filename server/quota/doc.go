// Package quota keeps callers within what a second holds for them, so that one tenant cannot
// slow another beyond its share, nor one key all of its tenant.
//
// # What is bounded
//
// Requests, events (with catalog rows) and bytes, of each tenant and of each key; and how many calls of
// a key are under way ([Keeper.Enter]). A call that
// is within all of them takes from all; one past any of them takes from none, and [Exceeded]
// names the quota, its bound and when to come again.
//
// # How it counts
//
// A token bucket of one second: what was not used lately can come at once, up to a second's
// worth. A message larger than that is taken when something is left, and what it owes is paid
// by the time after it, an hour at most; otherwise it could never be taken at all. The bucket
// is kept as the time at which all is paid (the generic cell rate algorithm of ATM networks,
// ITU-T I.371), in one atomic word: counting takes no lock and allocates nothing.
//
// # How to use it
//
//	k := quota.New(quota.Settings{Tenant: record.Quota{Requests: 500}})
//	if over := k.Take(principal, quota.Cost{Requests: 1, Bytes: 120}); over != nil { … }
//
// Counts are this process's own and begin anew with it. A [Keeper] holds a few words for each
// tenant and key that has called; there are as many as an operator made. All methods are safe
// for concurrent use.
package quota
