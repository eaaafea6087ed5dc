// Package checkpoint reads the weights and settings of a text encoder of the BERT
// family from the folder that sentence-transformers writes, and writes weights back.
//
// # The problem
//
// A model on disk is half a dozen files by several authors: settings in JSON, names
// of tensors that differ between exports, a pooling that stands in a file of its own.
// Whatever is wrong with them must be known when the model is loaded, and said in
// terms of the file, the tensor and the shape, not as numbers that mean nothing later.
//
// # What is read
//
//	config.json                       the architecture and its sizes
//	model.safetensors                 the weights: float32, or halves that are widened
//	modules.json, 1_Pooling/config.json   how token vectors become a text's vector
//	sentence_bert_config.json         how many tokens of a text are read
//	config_sentence_transformers.json prompts, such as "query: "
//
// The last four may be absent. Then [Settings] must say how to pool: a guess would
// give vectors that look right and rank badly.
//
// # Architectures
//
// "bert", "roberta", "xlm-roberta" and "camembert": encoders with absolute positions,
// layer norm after each block, and an exact GELU. Anything else is [ErrUnsupported].
//
// # How to use it
//
//	m, err := checkpoint.Load(dir, checkpoint.Settings{})
//	...
//	m.Config.Hidden, m.Weights.Layers[0].Query.Weight // [hidden, hidden]
//
// A model is immutable after Load and safe for concurrent use.
package checkpoint
