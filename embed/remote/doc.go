// Package remote is text encoding over the network: a worker that serves an encoder, and a
// client that is an encoder itself.
//
// # The problem
//
// A transformer wants a GPU, and the service that needs its vectors runs elsewhere. A
// worker can be slow, full, restarted or gone at any moment, there may be several of
// them, and one may serve another model than the rest by mistake. Whoever encodes should
// see none of that, or one clear error.
//
// # The worker
//
// [Server] is EmbeddingService of proto/kindred/v1 over a [batch.Batcher]. It refuses what
// is beyond its limits with INVALID_ARGUMENT naming the field, and what comes beyond its
// queue with RESOURCE_EXHAUSTED and RetryInfo, at once. Queries go through the
// interactive lane, documents and streams through the bulk lane. A stream has a bounded
// window of requests under way; when the queue is full it reads no further, so that its
// client is slowed down instead of refused.
//
// # The client
//
//	c, err := remote.Dial(ctx, remote.Config{Addrs: []string{"gpu-1:50061", "gpu-2:50061"}, ...})
//	...
//	defer c.Close()
//	err = c.Encode(ctx, titles, out)             // documents
//	err = c.Queries().Encode(ctx, searches, out) // queries
//	for vector, err := range c.EncodeAll(ctx, slices.Values(catalog)) { ... }
//
// A large call is cut by the workers' limits, and each request goes to the worker with the
// fewest texts outstanding. A request is tried again only where that is safe and may
// help: the worker cannot be reached (UNAVAILABLE), or is full and says when to come back
// (RESOURCE_EXHAUSTED with RetryInfo); another worker is tried at once, the same one after
// a pause with jitter, Config.Attempts times in all, and never past the caller's
// deadline. Encoding changes nothing, so a request that was computed twice does no harm.
//
// A circuit breaker for each worker keeps calls from one that fails several times in a
// row, and lets a single one through from time to time to see whether it is back. When
// all are closed off a call fails at once with [embed.ErrUnavailable], which tells what
// happened to each.
//
// Every reply names its model. One of another model is never used: that worker is closed
// off with [ErrModelMismatch] and asked again later, while the others go on. So a worker
// that was restarted with a new model is noticed with its first reply.
//
// # Vectors on the wire
//
// One field of bytes: float32, little-endian, row by row. A reader takes them in one
// piece; as a list of floats most languages decode them one by one. The two look the
// same on the wire. The client refuses numbers that are not finite and checks the size.
//
// # Bounds
//
// Requests, replies, texts, streams, windows, tries and pauses are bounded on both sides;
// see [ServerConfig] and [Config]. A client holds Config.Parallel requests a call of
// Encode, and twice the workers' windows of chunks of 256 texts a call of EncodeAll.
//
// # Keys
//
// A key is sent with each call as "authorization: Bearer KEY", never in plain text beyond
// loopback unless Config.PlaintextKey says so. Checking it is the business of whoever runs
// the gRPC server. No error or log holds a key.
//
// # Source
//
// The circuit breaker is Nygard's ("Release It!", 2007); backoff with jitter follows
// Brooker's "Exponential Backoff And Jitter" (2015).
package remote
