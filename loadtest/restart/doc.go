// Package restart times how long a server takes to serve again.
//
// # The problem
//
// While a service starts, nobody is served: a start must be short however much the store holds, after a stop in order and
// after a kill, when nothing could be saved any more.
//
// # What is done
//
// [Run] starts the server's program over a directory of its own, writes a catalog with texts and a log of many users through
// its ports, and waits until the catalog is encoded, the index is built and the log is applied. Then it ends the process and
// starts it, three times: killed (SIGKILL) right after the filling, stopped in order (SIGTERM), and killed again when a tail
// of further events has been acknowledged. Each start is timed from the start of the process to the first 200 of /readyz, with
// the processor time that was used until then, which counts on a machine where others work; the stages are the server's own,
// from its log. After each start the numbers of items and events must be those that were written, and Recommend must answer
// from the personalized tier: a start that has lost something is an error, not a figure.
//
// # How to use it
//
//	result, err := restart.Run(ctx, restart.Options{Server: "kindred", Items: 100_000, Events: 1_000_000, Users: 100_000})
//	err = result.WriteTable(os.Stdout)
package restart
