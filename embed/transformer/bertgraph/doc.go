// Package bertgraph is the forward pass of a BERT encoder as a GoMLX graph, for
// backends that compile: XLA on a processor or a GPU.
//
// # Choices
//
// The three projections of attention are one product. What is padding is masked by a
// bias that is added to the scores. Positions are a slice of their table, not a lookup.
// GELU is the exact one, with erf. Layer norm divides by a square root, which has a
// gradient here, where its reciprocal has none.
//
// # How to use it
//
// [Weights] holds the nodes of the parameters in the shapes that [Shapes] lists and
// [Values] fills from a checkpoint. They may be parameters of a graph, or variables of
// a model that is trained:
//
//	hidden := bertgraph.Forward(config, weights, ids, lengths) // [batch, tokens, hidden]
//	pooled := bertgraph.Pool(checkpoint.Mean, hidden, lengths) // [batch, hidden]
//
// Functions panic on shapes that do not fit, as GoMLX does; compile under a recover.
package bertgraph
