// Package worker is the embedding worker's process: a model behind EmbeddingService on a
// gRPC port, with health, metrics and a key.
//
// # How to use it
//
//	w, err := worker.Start(ctx, worker.Config{Model: worker.ModelConfig{Name: "static"}, Listen: "127.0.0.1:50061"})
//	...
//	err = w.Wait(ctx) // until a signal
//	err = w.Stop()
//
// [Start] opens the HTTP port, loads the model, warms it up, and only then opens the gRPC
// port: /healthz answers as soon as the process lives, /readyz says 503 until the model
// serves. [Worker.Stop] reports NOT_SERVING, ends the open streams once what they sent is
// answered, lets calls under way end within Config.Drain, and closes the model.
//
// # Who may call
//
// Without a key and without client certificates a worker listens on loopback alone. A
// key file holds one key a line, so that a new one can be taken up before the old one is
// dropped; each has at least 256 bits, which [Keys] checks. Keys are kept as SHA-256
// and compared in constant time, and stand in no log or error. Health checks need none.
// Client certificates are an alternative, or an addition, to a key.
//
// # Models
//
// A model is "static" (the embedded table), the folder of a static table, the folder of
// a transformer, or a transformer's name on the hub; see [Load].
//
// # Histories
//
// With Config.Histories.Dir a worker also makes vectors of what users did, by trained
// bundles, for services that have a new one; see package embed/remote/histories. Whoever
// may call may upload bundles.
//
// # Overload
//
// A query that would wait for longer than Config.Batch.Latency is refused at once with
// RESOURCE_EXHAUSTED and RetryInfo; see package batch. All-MiniLM-L6-v2 in Go on two
// cores of a Zen 5 server, which the load's client and others were using too, with
// queries of four product titles: 631 texts a second in a closed loop; at half of that a
// p50 of 14 ms and a p99 of 49; offered ten times as many for a minute, 568 texts a second
// were accepted with a p50 of 55 ms and a p99 of 71, the rest was refused with a p99 of 7
// ms, and the process grew from 227 to 266 MB, where it stayed. `loadtest encode --addr`
// measures it.
//
// # Metrics
//
// Those of package telemetry, and:
//
//	kindred_embed_texts_total             counter          texts encoded
//	kindred_embed_truncated_total         counter          texts whose end was not read
//	kindred_embed_batches_total           counter          batches computed
//	kindred_embed_failed_batches_total    counter  cause   error, memory
//	kindred_embed_stage_seconds_total     counter  stage   tokenize, run; divide by batches
//	kindred_embed_calls_total             counter  lane, outcome  admitted, refused, abandoned
//	kindred_embed_queued_texts            gauge    lane
//	kindred_embed_queued_bytes            gauge    lane
//	kindred_embed_padding_share           gauge            of computed tokens
//	kindred_embed_mean_fill               gauge            of a batch's rows
//	kindred_embed_shapes                  gauge            compiled
//	kindred_embed_token_bound             gauge            of a batch; lower on a slow encoder and after lack of memory
//	kindred_embed_tokens_per_second       gauge            what the encoder does of late
package worker
