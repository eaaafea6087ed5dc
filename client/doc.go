// Package client calls a running Kindred service from Go.
//
// # The problem
//
// The generated stubs are enough to make a call, and leave to each caller what goes wrong
// at a bad moment: a call without a deadline that hangs a page, a retry that counts a
// purchase twice, a key sent in the clear, a reply that does not know of the click before
// it, a queue of events that grows until the process dies. This package decides those once.
//
// # The choices
//
//   - A call has a deadline: the context's, or Options.Timeout where it has none.
//   - Retried is what may be repeated and may go better: reads, and writes of events whose
//     ids are set, since the service counts an id once. UNAVAILABLE is tried again after a
//     pause that doubles; reads by gRPC itself, through the service config. RESOURCE_EXHAUSTED
//     is tried again only with a RetryInfo, and not before the time it names: without one a
//     bound of the tenant is reached, and another try cannot help. Nothing is tried past the
//     deadline, and all other codes are final. Streams are not retried.
//   - A key goes over TLS, or to loopback. Dial refuses everything else.
//   - [Client.WriteEvents] gives an event without an id one, before the first try.
//   - [Visitor] carries the write token from what somebody did to what they are shown next.
//   - [Writer] sends events in the background in batches: a bounded queue, ids and times
//     fixed when an event is taken, order kept, and no event lost without a word.
//
// The services are the generated ones, as fields of [Client]: their messages are the
// contract, and the comments in proto/kindred/v1 their manual.
//
// # How to use it
//
//	c, err := client.Dial("kindred.internal:443", client.Options{Key: os.Getenv("KINDRED_KEY")})
//	if err != nil { … }
//	defer c.Close()
//	ann := c.Visitor(&kindredv1.Subject{UserId: "ann"}, "")
//	_, err = ann.Write(ctx, &kindredv1.Event{ItemId: "42", Type: kindredv1.EventType_EVENT_TYPE_VIEW})
//	page, err := ann.Recommend(ctx, &kindredv1.RecommendRequest{Surface: "home", Limit: 10})
//
// # The contract
//
// A Client and a Writer are safe for concurrent use; a Visitor belongs to one goroutine,
// such as that of a web request. Errors of calls are gRPC statuses: status.Code and
// status.Convert read them; docs/errors.md lists each code with its remedy.
package client
