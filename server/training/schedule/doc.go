// Package schedule trains a service's tenants anew every so often, or after so many events,
// in a child process of the lowest priority.
//
// # The problem
//
// A model of last month does not know this month's items. Training takes minutes of a
// processor and a lot of memory, and the same machine answers requests in a millisecond. In
// the service's own process the two would share a heap, a collector and a scheduler.
//
// # The method
//
// A [Scheduler] looks at the tenants now and then. One that is due is trained by a child:
// the program itself, as `train --addr LOOPBACK --promote --child`. The child
//
//   - takes its key from its standard input, lent by the service for as long as the child
//     lives: the key is on no command line, in no file and in no log;
//   - puts itself at the lowest priority ([Begin]): nice 19, SCHED_IDLE and the idle class of
//     disk access where Linux has them, and first in line when memory runs out;
//   - has GOMAXPROCS and GOMEMLIMIT set, and refuses beforehand what would not fit;
//   - ends when its standard input does: with the service, however that ends.
//
// It reads the log and the catalog, trains, sends the bundle and has it promoted within the
// thresholds of PromoteModel. So what the schedule does can be done by hand, from another
// machine, with the same command.
//
// # When
//
// A tenant is due Config.Every after its last training began, or after Config.After events
// more than that was on; a tenant that was never trained at once. What was trained before the
// service started is known by the newest bundle. One child runs at a time; of several tenants
// that are due the one that waited longest is first. One with too little to train on waits
// for a tenth more events. After a failure the wait doubles, from Config.Backoff to six hours,
// and the next child goes on from the checkpoint of the last.
//
// # The contract
//
// Start starts one goroutine, which Stop ends and waits for; so is the child. All methods are
// safe for concurrent use.
package schedule
