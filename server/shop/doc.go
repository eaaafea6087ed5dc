// Package shop is one tenant at run time: it takes writes, keeps what serves in
// step with the log, and answers what to show.
//
// # The path of a write
//
// [Shop.Write] hands mutations to the store and returns when they are on disk,
// with a token. The store then delivers the entries, in order, to the shop's
// applier: one goroutine that brings the item table, the vectors and the index,
// the counters (co-visitation, popularity) and the cached profiles up to date.
// What serves is therefore always a prefix of the log, and [Shop.Applied] says
// which. The counters are copied after Config.CheckpointEvery entries and saved beside the
// applier, a tenth of the time unless four times as many wait, so that a start reads the log
// behind the last copy.
//
// # The path of a request
//
// A request enters, if the bound of requests under way allows; waits, if it asks to,
// until its token is applied; takes a permit, or goes on without one to the popular
// tier; loads the profile
// (memory, else one scan of the store); makes the user's vector if an event has
// arrived since the last time; retrieves and ranks against one generation; and
// logs what it showed. It makes no network call and takes no lock across work.
// Nothing behind it makes it fail: an unreadable profile, an absent vector or a
// missing permit lead to a lower tier, which the reply names with the reason.
//
// # Generations
//
// A [generation] is what serves now: encoder, item vectors, index. It stands
// behind one atomic pointer. [Shop.Refresh] builds another beside it from the
// catalog, brings it up to date, and swaps; a request that began on the old one
// ends on it. Vectors are encoded and the index is built on all cores, without the
// applier's lock; what the applier changes meanwhile is noted and brought over.
//
// # Trained models
//
// A generation may carry a trained model: a behaviour encoder ([Behaviour]) with a space
// of its own, in which it puts items and users so that what is near a user comes next. An
// item's vector there is made of the vector of its text, and follows it: a new item is in
// it at once. Searches, similar items and neighbours go by the texts as before; only the
// user's vector, and what is nearest to it, are of the model's space.
//
// Bundles lie in a folder of each tenant ([ModelsConfig]). Which one serves is decided by
// the log: [Shop.Promote] compares the candidate with what serves ([Shop.Evaluate]),
// checks the thresholds, and writes a promotion; the applier takes it as the target, and
// the upkeep builds the generation that carries it, on half of the processors, and swaps
// it in. It shares the space of the texts with the one before, so that a promotion costs
// the vectors and the index of one space. [Shop.Rollback] is a promotion of what served
// before. While one is being built another is refused, unless forced; a rollback, and
// what is forced, end the build.
//
// Another model makes the vectors of all users old. Those of the cached profiles are made
// anew in the background, the last used first: in batches by ModelsConfig.Users, such as a
// worker, where there is one and it works, else in process, a few at a time, with rests
// that leave three quarters of one processor to others. A request that comes before makes
// its own, as it does for a profile that is not in memory. No vector of a user is on disk.
//
// A start loads and verifies the promoted bundle. Where it cannot be used the last one
// before it that can serves, else none, and status and log say why; the service is not
// down. A scan finds the nearest in a model's space until the upkeep has built a graph,
// where the catalog is large: the graph of that space is not kept on disk.
//
// # The index
//
// [IndexConfig] says what finds the nearest vectors. By default a scan serves small
// catalogs and a graph (index/hnsw) large ones. One goroutine of the shop, the upkeep,
// builds a generation with the other engine when the catalog has outgrown the
// present one; checks every hour, and after each build, how much of the exact nearest
// the graph finds, and raises the effort of searches if that is too little; and
// writes the graph to IndexConfig.Dir as soon as it serves, and when enough has changed. A start maps that
// snapshot, compares it with the catalog's vectors and repairs the differences, so
// that nothing rests on it being recent; one that is damaged or of something else is
// removed, and the graph built anew.
//
// # Slow encoders
//
// An encoder that is not immediate (embed.Immediate) never stands in the way of a write.
// The applier notes the item in a [backlog], a bit an item, and one goroutine works that
// off: it reads the items' texts, takes the vectors that are kept (Log.ReadVectors), has
// the other texts encoded, each once however many items have it, in a few calls at a
// time, keeps their vectors (Log.PutVectors), and only then gives them to the items. An
// item that changed meanwhile waits anew and is not given what its older text has. What
// is left to do is nowhere written down: it is what has no kept vector, so that a start
// after a crash goes on where it was. A failed call is tried again after a doubling
// pause; a text that is refused (embed.ErrRefused) has no vector until it changes, or
// until a Refresh. Until an item has its vector other sources find it, and one whose text
// has changed keeps the vector of the old one.
//
// While much of a catalog lacks vectors, after a change of encoders or a large import, a
// bridge serves: a generation of EncodingConfig.Bridge, an immediate encoder. The slow
// one's generation is filled beside it, vectors alone, and gets its index and serves when
// little is missing. [Shop.Status] tells how far that is. Then the vectors of other models
// are removed, and from time to time those of texts that no item has any more.
//
// # Policies
//
// A list is made of ranked candidates by a policy (package rerank): rules, caps, variety,
// chance, places for new items. Its versions are settings of the tenant, written before
// they serve, and compiled once: conditions by the language of filters, the items that
// rules name looked up (a rule waits for one that is not there), and rules sorted by
// surface, so that a request finds its own ready made. Which policy serves a list is
// decided in one place ([call.choose]): the request's, that of the variant of an experiment
// (package experiment), the surface's, "default". What the policy and the assignment were
// stands in the reply and in the decision.
//
// Showings of the day are counted as they are served. The first policy that caps them has
// those of earlier today read from the decision log before it serves, at a start too.
//
// # Decisions
//
// A decision holds what its list was made from: kind, subject, surface, context, filter,
// limit, what was left out, seen policy, diversity, policy, seed, the tenant's clock, and how
// far the log was applied. [Shop.Reproduce] makes the list of these again, from the events
// up to that place, and compares; where something is gone or has moved on it says so, and
// compares the logged scores with what the model that serves makes of the logged features.
// A kept list of pages holds the same, so that each page is logged with the features and
// propensities of its own slots, whatever serves by then.
//
// # Replacing the catalog
//
// [Shop.Replace] writes the new catalog aside, accepts it as a whole, and does it then: see
// replace.go for what a crash leaves. [Shop.RollbackCatalog] is the way back, one step. A
// dry run ranks for a sample of those who acted last with and without what would go.
//
// # What merchants ask
//
// [Shop.TryPolicy] ranks logged requests anew under a policy before it is put;
// [Shop.Exposure] counts what was shown, clicked and purchased, from the logs, and
// [Shop.CatalogHealth] looks at every item. They wait as bulk calls do, read bounded parts
// of the logs, and say what they left out.
//
// # Many at once
//
// [Shop.Bulk] makes lists for subjects or for a segment on one goroutine a tenant. Before
// each it waits, 50 ms at most, for a moment without other requests, and without a bound
// while the decision log is half full. It takes no permit and reads profiles past the
// cache, so that those who are here are not degraded, slowed only by what one list costs.
//
// # Searches
//
// A search looks for the words of a text ([lexical.Index]) and for the items whose
// vectors are nearest to the text's, and joins the two lists by reciprocal rank. Where
// some item has all the words, words lead; where none has, meaning counts as much. The
// index of words is the tenant's, not a generation's: it depends on no encoder, the
// applier keeps it in step, and a start or a Refresh fills it from the catalog. Encoding
// is the one step that may be slow: past Config.SearchEncodeTimeout, or when it fails,
// words alone answer, and the reply says so.
//
// # Bounds
//
// A backlog holds the texts and vectors of Lanes calls of Batch texts, and a bit an item;
// a bridge costs its vectors and index beside those being filled. A sweep holds 16 bytes
// an item. Profiles live in a cache of Config.ProfileBytes; the last Config.HistoryEvents
// events of a user count, and the last 200 impressions. Decisions wait in a queue of Config.DecisionQueue and are
// dropped, counted and said so in the reply when it is full.
//
// # Concurrency
//
// All methods of Shop are safe for concurrent use. Close ends the applier, the upkeep,
// the work on the backlog, a sweep, the making of users' vectors, a refresh under way and the decision writer, and waits
// for all.
package shop
