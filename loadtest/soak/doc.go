// Package soak keeps a service busy for a long time and says whether it stays as it was.
//
// # The problem
//
// A leak of a kilobyte a request, a descriptor left at each retraining, a tail that grows with the log: none of them
// shows in a test of seconds, each ends a service within weeks.
//
// # What is done
//
// A server of its own is started and filled. Its saturation is found briefly, or a rate is given, and a share of it is offered
// for the whole time, in an open loop: Recommend, events, patches of stock. Meanwhile the catalog is imported again and again
// with other texts, the service's schedule trains models, and they are promoted where its thresholds let them; if none was by
// the middle, the last one that was kept is promoted by hand. The catalog and the population stay of one size, so that memory
// has a size to come to.
//
// # What is measured
//
// Each second /metrics is read: resident memory, goroutines, file descriptors. The p99 of Recommend in each of the windows (a
// minute, or a tenth of a shorter test) comes from the service's own histogram, as an operator's would, interpolated
// within a bucket.
//
// # The verdicts
//
// The first third is warm-up: caches fill. Of the rest, each series is cut to 12 means, so that neighbours are less alike, and must not rise: it
// rises if the Mann-Kendall test finds a trend at the level of 1% and Theil and Sen's slope, over the time judged, comes
// to more than 5% of the median and more than 10 MB, goroutines or descriptors. Both are needed: a trend of a percent is real and does not matter, 20% of noise is not a trend.
// p99 may not drift: the median of the last third of windows is under 120% of the middle third's. No call fails, none is left
// unsent, no row is refused. A short test shows little, and says how short it was.
//
// # Sources
//
// H. B. Mann, "Nonparametric Tests Against Trend", 1945; P. K. Sen, "Estimates of the Regression Coefficient Based on
// Kendall's Tau", 1968; M. Grottke et al., "Analysis of Software Aging in a Web Server", 2006.
package soak
