// Package learned is a whole trained encoder of behaviour: transformers and transition
// heads side by side, the ids of the items that they know, and how events are numbered.
//
// # The problem
//
// What training finds is several tables and networks that know items by rows and events
// by numbers, and whose scores are inner products of vectors of any length, added up. A
// shop knows items by ids and events by names and times, and its index and its ranker
// want one vector of unit length for each item and user.
//
// # The vectors
//
// The parts' vectors are laid side by side, so that inner products add up; a part's Scale
// multiplies the user's side. An item's plain vector v and a user's u become
//
//	item = (v/M, √(1 − |v|²/M²), 0 …)    user = (u/|u|, 0, 0 …)
//
// of unit length, with the inner product u·v/(|u| M): the order of items is kept
// (Bachrach et al. 2014). M is MaxNorm, the length of the longest item when the model was
// made ([Model.Measure]); a new item that is longer is scaled down to M. Without a
// MaxNorm, M is a bound that no item whose text vector has unit length is beyond. The
// closer M is to the longest item, the less of the vectors' precision is lost. Zeros fill
// up to a multiple of 8 components.
//
// # Events
//
// [Numbering] says how an event's name, time and weight become the rows that a
// transformer with types, gaps and values has; whoever trains one numbers events by the
// same type. Events that do not attract (weight 0 or below) are read by transformers with
// types alone, which have learned what they mean; for all others they are left out, as
// are events on items of which a part knows nothing.
//
// # Files
//
// A [Model] is two payloads of a bundle ([Model.Payloads], [Open]): all tensors in one
// safetensors file, and the ids of the rows. A file of [causal.Write] is a model, too, of
// towers of Scale 1.
//
// # How to use it
//
//	model.MaxNorm, err = model.Measure(texts)
//	bundle.Write(dir, manifest, model.Payloads(), bundle.Limits{})
//	...
//	e, err := learned.Open(b) // or learned.New(model)
//	ok, err := e.Item(item, text, id)
//	ok, err = e.User(user, events)
//
// # The contract
//
// An [Encoder] is immutable, pure and safe for concurrent use, and needs the bundle's
// files no more. A user's vector is computed anew from the last events of those that each
// part reads; this takes a fraction of a millisecond and, once as many calls have run as
// run at once, allocates nothing.
package learned
