// Package faults breaks a running service on purpose and says what became of its callers and their data.
//
// # The problem
//
// A service promises that a caller of Recommend gets no error because something behind it is broken, that an acknowledged
// event outlives whatever happens to the process, and that what cannot be done is refused by name. Such promises hold as far
// as somebody has tried.
//
// # How it is tried
//
// Each fault has a world of its own: a new directory, a server process, a small catalog, and light traffic by the clock:
// Recommend, and WriteEvents with ids that the client chose, of which it remembers every acknowledgement. When the fault is over,
// batches without an answer are sent again with the same ids, the server is stopped and started, and the log is read back
// with ExportEvents: each acknowledged event must be there once, and nothing else.
//
// The faults are those that machines and callers have: kill -9 of server and encoder, a full disk, a slow one, a clock that is
// set, files with flipped bits or cut short or gone, more requests than the server admits, more connections than it takes, callers who dawdle, who send noise, or who
// do not read what they asked for. Where this machine does not allow one, its row says so: it is skipped, never passed.
//
// # How to use it
//
//	result, err := faults.Run(ctx, faults.Options{Server: "bin/kindred"})
//	result.WriteTable(os.Stdout)
//
// # The verdicts
//
// Each row has five cells. Recommend and WriteEvents: which errors came, and whether the fault excuses their codes: a dead process
// excuses UNAVAILABLE, an overload RESOURCE_EXHAUSTED, nothing excuses INTERNAL. Data: acknowledged events that are missing, or
// are there twice. Process: whether it ended unasked, or wrote a panic. Recovery: seconds from the end of the fault (the new
// start, where the process was killed) to the first call of each kind that was begun after it and answered. A cell fails, the row
// fails; a row fails, the result does.
//
// # Damaged files
//
// What is derived must be made anew, and the server serve. Where a file is the truth, it must either serve all that was
// acknowledged or refuse to start, and then name the file and the way out; and the command verify must name it, too.
//
// # Slow disk, and a clock that steps
//
// On Linux the server runs under a seccomp filter that hands some system calls to the client (seccomp_unotify(2)): no root is
// needed, and the server is the binary that everybody runs. It is started through this program, which installs the filter on
// itself and then becomes the server (Launch). For the slow disk they are fsync, fdatasync and msync, which go on after a delay.
//
// For the clock it is clock_gettime of the wall clock, which the client answers by a time of its own. A Go program reads the
// clock in the vDSO, without a system call. So the client traces the start, and as the server is about to run takes the entry
// AT_SYSINFO_EHDR from the auxiliary vector on its stack: then it asks the kernel. The monotonic clock stays the machine's, as
// when somebody sets the clock. Times that the kernel itself notes, as of files, are not shifted.
//
// # Sources
//
// J. Gray, "Why Do Computers Stop and What Can Be Done About It?", 1985; P. Alvaro, J. Rosen, J. Hellerstein, "Lineage-driven
// Fault Injection", SIGMOD 2015; T. Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
package faults
