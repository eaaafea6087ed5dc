package static

import (
	_ "embed" // for the two files below
	"sync"
)

// DefaultName is the title of the embedded model in [embed.Info].
const DefaultName = "static-minilm-256"

var (
	//go:embed model/model.safetensors
	defaultWeights []byte

	//go:embed model/vocab.txt
	defaultVocab []byte

	loadDefault = sync.OnceValues(func() (*Encoder, error) {
		return parse(DefaultName, defaultWeights, defaultVocab)
	})
)

// Default returns the encoder over the embedded table. The first call makes it,
// which takes about 20 ms; every call returns the same one. An error means that
// the program was built with damaged files.
func Default() (*Encoder, error) { return loadDefault() }
