// Package transformer encodes text with a model of the BERT family: MiniLM, E5, BGE,
// their Chinese and multilingual relatives, and those of RoBERTa and XLM-R.
//
// # The problem
//
// A table of token vectors (embed/static) knows words; a transformer reads sentences,
// and can be fine-tuned on what the shop's customers do. It takes a few GFLOP a text.
// A merchant with a laptop and a data scientist with a GPU should both be able to use
// one, from the files that the rest of the world uses, without a Python beside the
// service and without a C compiler.
//
// # How to use it
//
//	enc, err := transformer.Load("models/all-minilm-l6-v2", transformer.Options{})
//	...
//	defer enc.Close()
//	out := make([]float32, len(texts)*enc.Info().Dim)
//	err = enc.Encode(ctx, texts, out)
//
// [Load] reads a folder as sentence-transformers writes it; [Open] also takes a name of
// the Hugging Face hub (see the package hub below this one: pinned, checked, offline
// where asked for). Models that are trained for questions and passages want a text put
// before each:
//
//	passages, err := transformer.Load(dir, transformer.Options{Prompt: "passage: "})
//	queries := passages.WithPrompt("query: ") // shares the weights
//
// Both have one [embed.Info.Model]: their vectors are meant to be compared. A catalog
// that was encoded with another prompt should be encoded again.
//
// # Models
//
// Architectures "bert", "roberta", "xlm-roberta" and "camembert", with an exact GELU,
// absolute positions, and pooling by mean, first or last token; weights in one
// model.safetensors. Tokenizers are WordPiece (embed/wordpiece), and, from
// tokenizer.json, the byte pairs of RoBERTa and the unigrams of XLM-R. These are this
// project's own, since those of go-huggingface cut unigrams greedily and byte pairs at
// spaces alone, which gives other tokens than the model was trained with. What a file
// asks for and is not computed is an error that names it.
//
// # Texts
//
// Of a text [embed.Info.MaxTokens] tokens are read, special ones and the prompt
// included, of at most [MaxBytes] bytes. [Encoder.Measure] tells how much of one is
// read, [Encoder.Stats] how many were cut. Bytes that are not UTF-8 are left out. A
// text without a token of its own gets zeros, where the reference gives the vector of
// its special tokens: nothing lies near an item without words. Special tokens cannot be
// written into a text.
//
// Vectors have unit length, whether the model's files ask for it or not.
//
// # Backends
//
//	go        a forward pass in Go with AVX-512 or AVX2 assembly; needs nothing
//	xla:cpu   XLA through GoMLX: needs cgo when built, and a PJRT plugin when run
//	xla:cuda  the same on an NVIDIA GPU
//
// auto takes the GPU where its plugin loads, then go where its assembly runs, then
// xla:cpu, and logs what and why. [FindPlugin] says where plugins are looked for; none
// is ever downloaded. XLA on a GPU computes in float32 proper, without TF32, unless
// [Options.Precision] asks for products in bfloat16 or float16.
//
// go computes the tokens of all texts one after the other, without padding, and gives a
// text the same bits whatever it is encoded with. XLA compiles a program for each shape,
// some seconds for each on a processor: lengths and batches come from a grid, programs
// are counted ([Stats.Compiled]) and bounded, and [Encoder.WarmUp] compiles before the
// first caller waits.
//
// # Speed
//
// All-MiniLM-L6-v2 on two cores of a Zen 5 server that others were using too: the best
// of 14 rounds in which all took turns, texts a second, for batch x tokens:
//
//	                  1x16   1x64   32x32   64x64
//	go                 537    156     633     304
//	xla:cpu            263    121     470     151
//	ONNX Runtime       312    131     485     221
//
// The 6,689 titles and descriptions of a catalog, 68 tokens on average, everything
// included, one after the other: go 133, xla:cpu 71, sentence-transformers 31; the first
// and the last are 294 and 79 when the machine is nearly idle. Cosines with the
// vectors of sentence-transformers are .9999998 and more on both backends. The forward
// pass in Go reaches 250 GFLOP/s on a core with AVX-512, 125 with AVX2, 5 without
// assembly. The CUDA backend has not been run on a GPU yet.
//
// # How to add a backend
//
// Implement the engine interface in engine.go and name it in backend.go. The tests run
// every backend through embed.Verify and against a plain forward pass in double
// precision, and the real model against vectors of sentence-transformers.
//
// # Source
//
// Devlin et al. 2018, "BERT"; Reimers and Gurevych 2019, "Sentence-BERT"; Liu et al.
// 2019, "RoBERTa"; Conneau et al. 2020, "XLM-R".
package transformer
