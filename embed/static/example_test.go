package static_test

import (
	"context"
	"fmt"

	"github.com/kindred-rec/kindred/embed/static"
)

func Example() {
	enc, err := static.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	texts := []string{"black ink cartridge", "printer ink, black", "office chair"}
	dim := enc.Info().Dim
	out := make([]float32, len(texts)*dim)
	if err := enc.Encode(context.Background(), texts, out); err != nil {
		fmt.Println(err)
		return
	}
	for i, text := range texts {
		var cosine float32
		for j, x := range out[:dim] {
			cosine += x * out[i*dim+j]
		}
		fmt.Printf("%.2f %s\n", cosine, text)
	}
	// Output:
	// 1.00 black ink cartridge
	// 0.87 printer ink, black
	// 0.10 office chair
}

func ExampleEncoder_EncodeText() {
	enc, err := static.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	row := make([]float32, enc.Info().Dim)
	extent, err := enc.EncodeText("Canon ink cartridge, black", row)
	fmt.Println(extent.Tokens, extent.Truncated, err)
	// Output: 5 false <nil>
}
