// Package plan says what a number of items, users and requests would take: memory, disk, cores, replicas.
//
// # Costs are measured
//
// No figure of a cost is written down here. Measure starts the real service on an empty store in a temporary folder, gives it
// the demo shop's catalog over and over, then users with events, then requests, and reads memory, disk and processor time
// before and after: what an item, a profile, an event, a decision, a request cost is the slope between two sizes, so that
// what the service takes at any size is no part of it. The index and the catalog are measured apart as well, to say what
// of an item is theirs. It takes some seconds on small structures, so that figures are good to ten or twenty percent. Costs
// can be kept in a file (Write, Read), with the time and the machine.
//
// # The plan is arithmetic over assumptions
//
// Everything that is not measured is an assumption: how many users are active, how long decisions are kept, how busy a core may
// be. Each has a name, a default, a reason and a flag, and stands in the result. The shape is the service's: every replica
// holds all items of a tenant in memory and the whole log on disk, and requests are spread over replicas. If one machine cannot
// hold that, more replicas do not help, and the plan says so rather than divide by a number of machines.
//
// # How to use it
//
//	costs, err := plan.Measure(ctx, plan.DefaultMeasurement())
//	result, err := plan.Compute(plan.Need{Items: 1e6, Users: 1e7, RPS: 5000}, plan.DefaultAssumptions(), costs)
//	err = result.WriteTable(os.Stdout)
//
// # What it does not know
//
// Costs are taken to be linear in their number; a request is not (a search walks further in a larger index), which the
// assumption request_growth stands for. Disk is what is left after the store has closed and merged its tables; while it
// works it takes more, which disk_headroom stands for. Time per request is that of a service on a machine whose client shares
// the process, for users whose profile is in memory and who acted since their last request: empty calls are measured in the same way and client_share of one is taken off.
package plan
