// Package dataset reads catalogs and event logs in the formats that people already have, and cuts logs into a part for
// training, one for tuning and one for testing.
//
// # Reading
//
// [Open] gives a [Source]: the items and the events of a directory, as iterators. A source never holds a file, only a row
// (movielens and amazon-reviews apart, see below), so a log of any size can be streamed into a running service. Files may be packed with gzip
// or zstd; the content decides, and names may end in .gz or .zst.
//
//	src, err := dataset.Open(dataset.CSV, "shop/", dataset.Options{Currency: "EUR"})
//	...
//	for item, err := range src.Items() {
//		var row *dataset.RowError
//		switch {
//		case errors.As(err, &row): // this row is broken; the next ones follow
//		case err != nil:           // the file is broken; this was the last turn
//		}
//	}
//
// A broken row never stops the rows behind it, and never slips through: invalid UTF-8, a number that is not finite, a
// missing field, an unknown one, a line beyond the bound are each a [RowError] that names file, line, column, value and
// reason. How many are too many is for the caller to say. In csv a quote that is not closed costs one line, not the rest of
// the file.
//
// # Formats
//
//   - amazon: items.jsonl (item_id, title, description), train.jsonl (user_id, items in time order), test.jsonl (user_id,
//     history, target). The lists are what buyers reviewed, so their events are purchases. Test rows are [TestSource.Cases]
//     and no events.
//   - s3rec: sequences.txt (a user, then items in time order, separated by spaces), item_attributes.json (item to attribute
//     numbers; attribute 12 is the tag "a12"; there are no titles). Purchases, as above.
//   - movielens: movies.csv, ratings.csv and, where present, tags.csv. The year in a title becomes the attribute "year", a
//     genre a category, a rating of 0.5 to 5 a rating with a value, a tag a comment with a text. Both logs are merged in time
//     order; on ties ratings come first, then file order decides. Sorting takes memory, up to Options.MaxSortedEvents. The
//     older layout is told by its file u.data: with u.item (Latin-1) and, where present, u.genre; the release date becomes
//     the attribute "release_date", the address the url, and u.user is not read.
//   - amazon-reviews: the files of Amazon reviews of 2018 and 2023, and the reviews of 2014: one NAME.json or .jsonl of
//     reviews and, where present, one meta_NAME of products. A review is a rating of 1 to 5, by reviewerID, asin, overall
//     and unixReviewTime or by user_id, parent_asin, rating and timestamp, in time order as for movielens. Left out are its
//     words, pictures and votes, and of products all but title, description, features, categories, brand (or store) and a
//     price that is one plain amount, in US dollars unless Options.Currency says otherwise.
//   - csv: items.csv and events.csv with the columns below, in any order. A list is separated by "|". Other names are mapped
//     by Options.Map ("title=name,price=cost"); other columns must be ignored by name, or all by "*".
//   - jsonl: items.jsonl and events.jsonl, one JSON object a line with the fields below. Lists are JSON lists, numbers JSON
//     numbers; "attributes" is an object whose values are strings, numbers, true or false, lists of strings or of numbers, or
//     {"time": "2006-01-02T15:04:05Z"}.
//   - parquet: items.parquet and events.parquet with the columns below; lists are repeated columns (or texts, as in csv),
//     "attributes" is a group, typed by the file. Memory is that of one page of each column, as the writer made them.
//   - recbole: the one NAME.inter and NAME.item of a directory, tab-separated with a header of name:type. Columns of items
//     that are no field become attributes; "rating" is the value, and makes the events ratings.
//
// Fields of items: id (or item_id), title, description, categories (paths, levels joined by " > "), tags, brand, seller,
// language, price (a plain decimal), currency, stock, available_from, available_until, create_time (or created),
// source_time, url, image_url, variant_group (or group), hidden, and attributes.NAME, a string unless the name goes on with
// :number, :bool, :time, :strings or :numbers. Only id is required.
//
// Fields of events: id, user (or user_id), session (or session_id), item (or item_id), type, value, text, time (or
// timestamp), surface, recommendation_id, position, context (a JSON object of texts, in csv and parquet as its text), synthetic
// (the time was made up). Required are user or session, item (but for a search) and type, which
// Options.EventType may give for all rows.
//
// Times are RFC 3339, or numbers since 1970 in Options.TimeUnit. An empty cell, null, "" and [] all mean that the row does
// not say.
//
// # Times and ids of events
//
// Where a file has no times, events get one second each and are flagged [Event.Synthetic]: in the formats of sequences the
// k-th event of every user has Epoch + k seconds, in the others the event on line n has Epoch + n seconds. Either way the
// order within a user is kept, and neither a mended row nor one added at the end moves the others.
//
// An event without an id gets one by [Event.DeriveID]. So a second import of a file, or of the same file grown, adds only
// what is new. Equal events at one time are told apart by their order among the rows of that time; equal rows with other
// times between them count as one event.
//
// Events come in file order. In amazon and s3rec that is the time order of each user; in movielens and amazon-reviews, of
// the log.
//
// # Checking and writing
//
// [Check] reads a source from end to end, hands out each broken row and counts the rest. [Write] writes items and events as
// jsonl, csv or parquet, plain or packed, so that Open reads the same rows with the same ids again; each file appears whole or
// not at all, and what a format cannot hold is refused by row. Package export, below this one, writes what a running service
// has. The command is `loadtest dataset`.
//
// # Splits
//
// [NewSplit] reads a source into memory, with items and sequences as dense numbers, and cuts it by the protocol that its
// published figures use: [Published] for amazon, [LeaveOneOut] for all else. [Split.Test] makes the test questions only when
// asked, so that tuning cannot touch them by accident. [ByTime] and [Rolling] cut the whole log at moments instead, for logs
// with times of their own. [Split.Cold] takes a part of the items out of training, to measure
// how new items fare.
//
// # A new format
//
// Write a type with Items and Events in a file of its own (amazon.go is the shortest), a Format constant, a case in Open, a
// fixture with broken rows in testdata, and a fuzz target.
package dataset
