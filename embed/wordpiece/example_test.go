package wordpiece_test

import (
	"fmt"
	"strings"

	"github.com/kindred-rec/kindred/embed/wordpiece"
)

func Example() {
	vocab, err := wordpiece.ReadVocabulary(strings.NewReader("[UNK]\npen\n##cil\n##s\ncafe\n,\n中\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := wordpiece.New(vocab, wordpiece.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, extent := tok.Append(nil, "Pencils, Café 中文")
	for _, id := range ids {
		fmt.Print(vocab.Token(id), " ")
	}
	fmt.Println(extent.Truncated)
	// Output: pen ##cil ##s , cafe 中 [UNK] false
}
