// Package sequence trains the learned behaviour encoder ([causal]): from what users did,
// in order, to a transformer that says what comes next.
//
// # The problem
//
// A shop has sequences of events, most of them short, a few long, over thousands to
// hundreds of thousands of items. Each event is to be predicted from those before it,
// against all other items. On a processor two things decide how long that takes: how
// little is computed that is not needed, and how near to its peak the processor runs.
//
// # The choices
//
// Sequences lie end to end: nothing is computed for padding. The softmax is over all
// items, fused, in blocks that stay in the cache: scores of all events by all items never
// exist at once. Products are those of embed/internal/kernel. A step goes over the model
// in parts of whole sequences, one goroutine a part, and everything that is a sum over
// parts is added in a fixed order: the number of goroutines does not change a bit of the
// result. All that is random is a function of the seed and the step's number, so that a
// run that was killed goes on from its checkpoint to the very weights it would have had.
//
// The model has no memory of a text but the projection of its vector. With
// [Options.ResidualDropout] an item has its text alone in some steps, as a question and as
// an answer, so that the projection learns to serve new items.
//
// # How to use it
//
//	c := causal.DefaultConfig(items, textDim)
//	o := sequence.DefaultOptions(c)
//	o.Checkpoint = filepath.Join(dir, "training.safetensors")
//	o.Progress = func(e sequence.Epoch) { ... }
//	r, err := sequence.Train(ctx, sequence.Data{Text: text, Sequences: sequences, Valid: cases}, o)
//	...
//	err = causal.Write(file, causal.Tower{Config: r.Config, Weights: r.Weights})
//
// [Evaluate] ranks questions with one encoder or several whose scores are added.
// [Options.Bytes] says what memory a run takes.
//
// # What it is checked against
//
// Every layer and the loss are compared with their definition in double precision, by
// differences of it; the whole model, its gradient and some steps of training with
// PyTorch (testdata/reference.py).
//
// # Source
//
// Kang and McAuley 2018, "Self-attentive sequential recommendation"; Klenitskiy and
// Vasilev 2023, "Turning dross into gold loss", for the full softmax in its place;
// Loshchilov and Hutter 2019, "Decoupled weight decay regularization"; Milakov and
// Gimelshein 2018, "Online normalizer calculation for softmax"; Volkovs, Yu and Poutanen
// 2017, "DropoutNet", for dropping what new items do not have.
package sequence
