// Package batch stands in front of a text encoder and makes batches of what many
// callers want encoded at once.
//
// # The problem
//
// A transformer does a batch of 64 texts in little more time than one text, on a
// GPU above all. Callers come with one text each, or with a hundred thousand, at
// their own times. Each by itself would run tiny batches one after another, wait
// behind somebody's catalog, or fill the memory with what cannot be done in time.
//
// # The method
//
// Two stages run at the same time. Several goroutines take texts from the queue,
// measure or tokenize them, and lay them into a pool that is ready. One or more
// runners take a batch from the pool whenever the encoder is free, so that
// batches grow by themselves while it is busy and nobody waits for a timer when it
// is not. Both stages are bounded: the pool holds a few batches, and what waits
// before it is bounded in texts and bytes. The pool is no channel because a batch
// is picked from it by length.
//
// A batch costs the encoder as many tokens as its longest text times its texts.
// Config.Tokens bounds that product. For a [Staged] encoder texts are put together
// with others of their length, and the batch is padded to one of few shapes: XLA
// compiles each shape once, which takes seconds. [Batcher.Warm] compiles all of
// them before the first caller comes. For a plain [embed.Encoder], whose tokens
// cannot be seen, four bytes are taken for a token, and nothing is padded.
//
// # Two lanes
//
// What somebody waits for (the words of a search) goes through the [Interactive]
// lane, all else through [Bulk]. Interactive texts go first in both stages, but
// every ninth turn is the bulk lane's, so that neither starves. Bulk work can fill
// three quarters of the queue and no more; the rest is always there for the other
// lane. Within a lane callers are served in the order in which they came. A bulk
// call of many texts is cut into pieces of a quarter of the lane, so that others
// come between them.
//
// # Too much work
//
// A call that does not fit into the queue is refused at once with an
// [*OverloadError], which wraps [embed.ErrOverloaded] and says when to come back;
// nothing of it was encoded. A caller that would rather wait says so with
// Call.Wait. A caller whose context ends is answered at once, and what was not
// begun of its texts is thrown away without being computed.
//
// # Too slow
//
// A transformer on a processor does some hundred texts a second: a full queue would
// be many seconds of work, and who waits for a search does not wait that long. So the
// batcher learns how many tokens the encoder does a second, and keeps to
// Config.Latency: an interactive call is refused at once when what is before it takes
// longer than that, and batches of both lanes take half of it at most, so that one that
// was begun holds nobody up for long. What is accepted is then answered within about one
// and a half times the latency, and the time of its own texts, whatever the load. An
// encoder that does a full batch of Config.Tokens in half of the latency is not bound.
//
// The rate is an exponential mean over batches. Only batches of at least half of the
// bound can lower it, since small ones take about the same time whatever their size;
// any batch can raise it. [Batcher.Warm] finds the first value.
//
// # Out of memory
//
// An encoder that runs out of memory returns an error that wraps [ErrOutOfMemory].
// The batch is then cut in two and tried again, and later batches are made no
// larger than what fitted; after a thousand batches that went well the bound is
// doubled. When a single text does not fit, its callers get the error.
//
// Any other error of the encoder goes to every caller with a text in that batch.
// A panic of the encoder becomes such an error.
//
// # How to use it
//
//	b, err := batch.New(encoder, batch.Config{})
//	...
//	defer b.Close(ctx)
//	err = b.Warm(ctx, nil)
//	search := b.Lane(batch.Interactive) // an embed.Encoder
//	err = search.Encode(ctx, []string{"desk lamp"}, out)
//
// A [Batcher] is an [embed.Encoder] itself, of the bulk lane. [Batcher.Do] also
// tells where the time went. Everything is safe for concurrent use.
//
// The result of a text does not depend on what it is batched with, up to rounding.
// The order of a call's rows is the order of its texts.
//
// # What it costs
//
// About 0.4 microseconds a text in calls of 64 and 1.7 in calls of one, with five
// allocations a call. In front of the static encoder, which needs no batches, that
// is a loss.
//
// # Source
//
// Batches that form while the encoder is busy and a budget of tokens rather than
// of texts are those of text-embeddings-inference (Hugging Face); buckets of
// lengths are common practice with XLA.
package batch
