// Package conversion counts how often each item was shown, clicked, opened and bought,
// and tells its rates against those of the whole shop.
//
// # The problem
//
// A click rate says what co-visitation and likeness cannot: whether a picture, a title and
// a price appeal. But a rate of few impressions is noise: of two items, shown once and shown
// a thousand times, one click says much less of the first. And tastes change.
//
// # The choices
//
// Four counts an item, each decayed by one half-life. A rate is drawn to the shop's own by
// so many imagined impressions of an average item (Options.Prior): an empirical Bayes
// estimate of a beta-binomial. What is told is the rate over the shop's, of which the ranker
// takes the logarithm: 1 for an average item and for one that nobody met, 2 for one that is
// clicked twice as often. Where a shop logs no impressions its click rates are all 1, and
// where it logs no purchases its purchase rates are.
//
// # How to use it
//
//	counter, err := conversion.New(conversion.Options{})
//	err = counter.Add(42, conversion.Shown, nowMicros)
//	err = counter.Add(42, conversion.Clicked, nowMicros)
//	rates := counter.Rates(nowMicros) // kept for a loop over items
//	x := rates.Click(counter.Raw(42))
//
// # The contract
//
// Items are dense numbers; one costs 32 bytes, in blocks of 1024. Times are unix
// microseconds of the tenant's clock. One writer at a time adds, behind a mutex; readers
// take no lock and may see some counts of an act under way and not others. Equal acts in
// equal order make equal counts, bit for bit, and a checkpoint keeps them so.
//
// Sources: Robbins, An empirical Bayes approach to statistics, 1956; Wang et al., Empirical
// Bayes estimation of click-through rates, 2011.
package conversion
