// Package tenants measures what one tenant costs another: how much a neighbour's latency moves while somebody beside it asks
// for many times its quota.
//
// # What is done
//
// A server of its own is started with two tenants, each with a catalog and a key; one, the hostile, has a quota of requests.
// Rounds of two halves follow: in one half the neighbour calls Recommend at a modest rate, alone; in the other the hostile
// tenant calls as well, at Times its quota, from a process of its own. Both are open loops. Which half comes first changes from
// round to round, so that a
// drift of the machine falls on both.
//
// # What is told
//
// The median and the p99 of the neighbour in each half, from when a call was due; the ratio of the two p99 of each round; the
// geometric mean of the ratios with its 95% interval (Student's t on the logarithms); and the ratio of the p99 of all halves
// together. Ratios of halves that were both alone say what the machine's noise is: they come from the same rounds, each half
// alone against the one before. Of the hostile tenant: what was offered, served and refused, by code. Of the server: its
// processor time, and from it about what a refused call takes.
//
// Both clients share the machine, so that on few cores their own work is in the figures, and the verdict is stricter than clients
// elsewhere would give: client_cores and flood_cores say how much it was. The flood's client has the lowest priority, where the
// system has nice; what it offered is told.
//
// # The verdict
//
// The most that the neighbour may be slowed is 20%. It passes where the interval of the mean ratio ends under that, fails where
// it begins above, and is unclear in between: take more rounds, or a quieter machine. A call of the neighbour that fails, or a
// hostile tenant that was not past its quota, fails it too.
package tenants
