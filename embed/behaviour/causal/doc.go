// Package causal is a learned encoder of behaviour: a transformer over a user's last
// events, whose result is a vector among the items' vectors. What is near it comes next.
//
// # The model
//
// An item's vector is what its text projects to plus a residual of its own:
//
//	item = Projection · text + Residual
//
// An item without a residual (it came after training) has its text alone, and one
// without a text vector its residual alone; the trainer drops residuals at random so
// that the projection learns to serve by itself. An event's vector is the layer norm of
// its item's, plus what its kind, the time since the event before and its value add.
// Blocks of causal attention and feed-forward follow, as in a text transformer. The
// last event's result is the user's vector, and an item's score is their inner product.
//
// Order is known by a learned number per head and distance that is added to an attention
// score ([Relative]). An event's keys and values depend on what came before it and on
// nothing after, so they can be kept: one more event costs one row.
//
// # Files
//
// [Write] and [Read] have the [Weights] in one safetensors file, with the [Config] in its
// metadata. A file holds one encoder or several that stand side by side ([Tower]).
//
// # Source
//
// Kang and McAuley 2018, "Self-attentive sequential recommendation"; Raffel et al. 2020
// for positions as biases of attention; Vaswani et al. 2017 for the block.
package causal
