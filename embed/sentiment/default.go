package sentiment

import (
	_ "embed" // for the file below
	"sync"
)

//go:generate go run ./fit --data ../../../shared/data/review-sentiment/amazon.tsv --encoder static --out model/head.safetensors

//go:embed model/head.safetensors
var defaultFile []byte

var parseDefault = sync.OnceValues(func() (*Head, error) { return Parse(defaultFile) })

// Default returns the embedded head, which belongs to static.Default. Every call returns
// the same one. An error means that the program was built with a damaged file.
func Default() (*Head, error) { return parseDefault() }
