package transformer_test

import (
	"context"
	"fmt"
	"os"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

func Example() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil { // or a real model's folder
		panic(err)
	}
	enc, err := transformer.Load(dir, transformer.Options{Backend: transformer.Go})
	if err != nil {
		panic(err)
	}
	defer enc.Close()
	texts := []string{"a desk lamp", "black ink", ""}
	out := make([]float32, len(texts)*enc.Info().Dim)
	if err := enc.Encode(context.Background(), texts, out); err != nil {
		panic(err)
	}
	fmt.Println(len(out), enc.Measure("a desk lamp").Tokens, enc.Stats().Empty)
	// Output: 96 3 1
}
