// Package soak keeps a service busy for a long time and says whether it stays as it was.
//
// # The problem
//
// A leak of a kilobyte a request, a descriptor left at each retraining, a tail that grows with the log: none of them
// shows in a test of seconds, each ends a service within weeks.
//
// # What is done
//
// A server of its own is started, with an API key that every call carries, with metrics, with a graph as its index, memtables
// of half the usual size, and decisions that are kept for a sixth of the time, so that the store comes to a size as well. It is filled, each
// user with a past, and each asks once; a model is trained on that and serves, for a service that has learned costs more.
// Its saturation is the rate that holds for as long as an edition of the catalog takes (below), or a rate is given, and a share of
// it is offered for the whole time, in an open loop: Recommend, events, patches of stock.
//
// Meanwhile, thirty times in the duration, everything changes: the whole catalog is imported, over half of the time to
// the next, with other texts and prices and with a hundredth of new items, those that were new two editions ago are deleted, twenty people come as sessions, sign in, and
// are erased two editions later. The service's schedule trains models, three times in the duration where nothing else is said,
// in a child of the lowest priority; they are promoted where its thresholds let them, and if none was by the middle, the newest
// that is kept is promoted by hand as soon as there is one. Catalog and population stay of one size, so that memory has a size
// to come to. The search for the saturation has the same beside it, training included.
//
// # What is measured
//
// Each second: goroutines, descriptors and the collector's goal from /metrics; on Linux, from /proc, what is resident, apart for
// the process's own memory and for pages of mapped files; the size of the store's files. The p99 of Recommend in each of the
// windows (a minute, or a twelfth of a shorter test) comes from the service's own histogram, as an operator's would,
// interpolated within a bucket.
//
// # The verdicts
//
// The first third is warm-up: caches fill. Of the rest, each series is cut to 12 means, so that neighbours are less alike, and must not rise: it
// rises if the Mann-Kendall test finds a trend at the level of 1% and Theil and Sen's slope, over the time judged, comes
// to more than 5% of the median and more than 10 MB, goroutines or descriptors. Both are needed: a trend of a percent is real and does not matter, 20% of noise is not a trend.
// A cache whose time constant is a tenth of the duration passes; one that fills more slowly is called a leak, and a longer test
// tells the two apart.
//
// Memory is the process's own. The heap is judged by the size at which the collector runs next, which follows what is kept and
// not what is garbage, and by the lowest in each of the 12 parts: a collection in the middle of a compaction of the store finds
// its buffers alive, twice as much as the one before, while what leaks is there at every collection. Pages of
// mapped files may grow with the store's files, and no further: the kernel takes them back, unless files are held that are gone. Descriptors are those that are no files of the store, which has one for each table.
//
// p99 may not drift: the median of the last third of windows is under 120% of the middle third's; each third has one training
// in it. No call fails, none is left unsent, no row is refused. Nothing is shown by a test in which nothing happened: it fails
// if no catalog was imported, nobody came or went, no training ended with a model, or no model came to serve. A short test shows
// little, and says how short it was.
//
// # Sources
//
// H. B. Mann, "Nonparametric Tests Against Trend", 1945; P. K. Sen, "Estimates of the Regression Coefficient Based on
// Kendall's Tau", 1968; M. Grottke et al., "Analysis of Software Aging in a Web Server", 2006.
package soak
