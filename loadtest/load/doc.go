// Package load measures what a running server can carry, over gRPC and as its callers see it.
//
// # Open loop
//
// People do not wait for each other: they arrive when they arrive, also while the server stands still. A client that sends
// its next call only after the last was answered (a closed loop) slows down with the server, makes few calls while it
// stalls, and reports a p99 that no user saw; this is known as coordinated omission (G. Tene, "How NOT to Measure Latency";
// B. Schroeder, A. Wierman, M. Harchol-Balter, "Open Versus Closed: A Cautionary Tale", NSDI 2006). Here arrivals follow a
// schedule drawn beforehand, Poisson or fixed, each is sent when it is due, and its latency counts from when it was due. A
// server that stalls for 100 ms delays all that arrives meanwhile, and the histogram holds each of those waits.
//
// Calls under way are bounded (Plan.InFlight), as all memory is. An arrival past the bound is not sent and counts as
// client_limited; no such arrival may be missing from a rate that is reported as held. If the client itself sends late, that
// lateness is part of the latency and stands beside it as client_late_p99_ms.
//
// # What is measured
//
//   - Constant: one rate for a time, after a warm-up that counts nowhere.
//   - Saturate: the highest rate held: p99 under a bound, no call failed, none unsent. Rates double, then the interval is
//     halved. Its figures are quoted with steps of 10 s and a bound of 50 ms, for the mix recommend=80,event=20 and ten items
//     without their rows.
//   - Empty: Health/Check, through the same interceptors and connections from the same process, its highest rate found in
//     the same way: what the pair and the wire can do at most. Figures of different machines compare as ratios to it. What
//     callers at full throttle reach, without a schedule, stands beside it.
//   - Events: durable events a second: writers that each wait for the acknowledgement of a batch.
//
// A constant run may hold a spike (Plan.Spike): the rate times a factor for a time. SpikeStats tells the calls before, in and
// after it apart by when they were due, and how long after its end three intervals in a row were as calm as before. ModeStepped
// makes one constant run after another, whatever becomes of each.
//
// Calls come one by one from a Mix, or from visitors (Plan.Sessions) who view, are shown recommendations, click, and think in
// between. Sessions begin by schedule, and their steps' times are drawn beforehand, too, so that the loop is as open as
// without them.
//
// Run makes them in the order that its mode says and gives a Result, which encodes as one JSON object and draws itself as
// a table (WriteTable) or a report (Page).
//
// # A server that dies
//
// Where no call was answered for Plan.GiveUp and an empty call is not either, the run ends, and its error is ErrServerLost: the
// result that comes with it has all until then, the errors by code, and when the server was last heard. A server that only refuses, or
// is too slow, is not lost. Lost connections are tried again within a second, so that a restart costs what it costs.
//
// # Noise
//
// One run is one sample. Repeat makes several, Summarize gives means with intervals, and Compare sets two such tests side by
// side: a difference that could be chance is called no difference seen.
//
// # A light client
//
// Server and client often share two cores, so what the client spends the server lacks. Worker goroutines are kept and grow
// with the calls under way; each reuses its request messages; replies are read on the wire (how many items, the rung, the
// stage times) without building them; everything random about an arrival is drawn by the one goroutine that keeps the
// schedule; and that one sleeps on a timer descriptor, since the runtime's timers are up to a millisecond late on an idle
// Linux machine. client_cores says what remains.
//
// # Determinism
//
// One seed gives one schedule: the times, kinds, users and items of all arrivals. When they are answered is the server's
// part. Ids of events differ from run to run, so that no run is taken for a repetition of another.
//
// # Concurrency
//
// A Client is safe for concurrent use, but two measurements at one time measure each other. Every goroutine ends before the
// call that started it returns.
package load
