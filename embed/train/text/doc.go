// Package text fine-tunes text encoders of the BERT family on what people do.
//
// # The problem
//
// A published encoder knows language, not a shop: to it a printer is nearer to another
// printer than to its ink. Who bought what after what says otherwise. And what people
// write about an item says whether they like it, if a model learns to read that. Both are
// a few minutes to hours of training on one machine, without a Python beside the service.
//
// # How to use it
//
//	o := text.Defaults()
//	o.MaxTokens, o.State = 32, "runs/office"
//	result, err := text.Train(ctx, "models/all-minilm-l6-v2", "models/office", text.Contrastive{
//		Texts: titles, Pairs: slices.Values(pairs), MaxPairs: 1 << 20, Popularity: counts, Temperature: 0.05, Dev: heldOut,
//	}, o)
//	...
//	encoder, err := transformer.Load("models/office", transformer.Options{})
//
// With [Regression] for [Contrastive] the model learns to give texts scores; [LoadScorer]
// opens what comes out, which is still an encoder too.
//
// # Objectives
//
// [Contrastive]: InfoNCE with the other pairs of a batch as negatives (van den Oord et al.
// 2018), the correction for popular items (Yi et al. 2019, "logQ"), hard negatives from
// an index, one way or both. Candidates that are the partner once more, or are
// known to belong to the item, or have the text of either, do not count as negatives.
//
// [Regression]: squared error of a linear head on the text's unit vector. It starts with
// the head that ridge regression finds, so that the encoder is not bent for the sake of a
// head that knows nothing (Kumar et al. 2022).
//
// # Choices
//
// The whole network is trained, or its upper layers, or low-rank adapters of its matrices
// (Hu et al. 2021, "LoRA"), which are multiplied in on export. AdamW decays matrices and
// tables, not norms and biases. The rate rises in a line, then falls in one. Gradients are
// clipped by their common norm.
//
// A batch that is too large for the memory is computed in parts, with the same result:
// the vectors first, then the loss's gradient by them, then the network's, part by part
// (Gao et al. 2021, "gradient caching"). Adding up gradients of small batches would not
// do: negatives would be missing.
//
// Each epoch is judged on Dev: [Contrastive] by recall@10, [Regression] by Pearson's
// correlation. The best is exported; epoch 0, the model as it was, is among them.
//
// # What is kept
//
// The exported folder is replaced file by file, the weights as a whole: it holds the
// source's settings and tokenizer, and model.safetensors in float32, tensors that the
// encoder has no use for included. With [Options.State] the run itself is kept: weights,
// moments, where it stands, hard negatives of the epoch. Order, adapters and dropout
// follow from the seed, the epoch and the step, so a run that is killed and started again
// gives the bits of one that was not, on the same backend.
//
// # Speed
//
// XLA compiles a program for each shape, some seconds each. Texts come in blocks of
// [Options.ChunkTexts], sorted by length and padded to lengths of a grid; an epoch has at
// most nine shapes of batches. A step of 64 pairs of texts of 32 tokens of
// all-MiniLM-L6-v2, on two cores that others were using too, the best of many, in seconds
// and GFLOP/s (three times the products of the forward pass; an adapter does fewer):
//
//	xla:cpu, all weights   1.83   145
//	xla:cpu, adapter       1.46   181
//	xla:cpu, in parts      2.30   115
//	PyTorch 2.15           3.04    87
//
// The backend go computes the same, far slower: it is for small models. The CUDA backend
// has not been run on a GPU yet.
//
// # Quality
//
// Sentiment of 3,708 sentences of reviews, folds by review, three epochs, the epoch chosen
// on a tenth of the other reviews: Pearson's r .827 with people, .821 to .839 by fold, two
// to four minutes a fold. A ridge head on the vectors of the model as it was has .72.
//
// Titles of an office shop, 19,477 pairs of items bought one or two steps apart, two
// epochs, 20 minutes on a busy machine: the item that a held-out sequence ends with is
// among the ten texts nearest to the item before in .179 of 526 cases, .154 before
// training (without the item itself among the candidates .131, .105 before). The epoch was
// chosen, of three, on the same cases.
//
// # How to add an objective
//
// Implement the task interface in train.go and network.Loss, as contrastive.go and
// internal/infonce do, and compare gradients with PyTorch's as reference_test.go does.
package text
