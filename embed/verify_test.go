package embed_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kindred-rec/kindred/embed"
)

// letters is a tiny encoder of two components: how many of a text's letters are
// vowels, and how many are not. A fault makes it break one promise.
type letters struct {
	fault string
	calls *atomic.Int64
}

func (l letters) Info() embed.Info {
	i := embed.Info{Model: "letters@1", Dim: 2}
	switch l.fault {
	case "no name":
		i.Model = ""
	case "no dimension":
		i.Dim = 0
	case "changing info":
		i.Model = fmt.Sprint("letters@", l.calls.Add(1))
	}
	return i
}

func (l letters) Encode(ctx context.Context, texts []string, out []float32) error {
	if l.fault != "any shape" {
		if err := (embed.Info{Dim: 2}).CheckShape(len(texts), len(out)); err != nil {
			return err
		}
	}
	if l.fault != "deaf to the context" && ctx.Err() != nil {
		return ctx.Err()
	}
	if l.fault == "failing" {
		return embed.ErrUnavailable
	}
	for i, text := range texts {
		if 2*i+1 < len(out) {
			l.encode(text, out[2*i:2*i+2], len(texts), int(l.calls.Add(1)))
		}
	}
	return nil
}

func (l letters) encode(text string, row []float32, batch, calls int) {
	if l.fault != "adding to what was there" {
		clear(row)
	}
	for _, c := range strings.ToLower(text) {
		if strings.ContainsRune("aeiou", c) {
			row[0]++
		} else if 'a' <= c && c <= 'z' {
			row[1]++
		}
	}
	length := float32(math.Hypot(float64(row[0]), float64(row[1])))
	if length == 0 {
		if l.fault == "an empty text has a direction" {
			row[0] = 1
		}
		return
	}
	if l.fault == "not unit length" {
		length *= 1.1
	}
	row[0], row[1] = row[0]/length, row[1]/length
	if l.fault == "other in a batch" && batch > 1 || l.fault == "other each time" && calls > 13 {
		row[0], row[1] = row[1], row[0]
	}
}

func TestVerifyAcceptsWhatKeepsTheContract(t *testing.T) {
	if err := embed.Verify(t.Context(), letters{calls: new(atomic.Int64)}); err != nil {
		t.Error(err)
	}
}

func TestVerifyFindsEveryFault(t *testing.T) {
	for fault, want := range map[string]string{
		"no name":                       "model name",
		"no dimension":                  "dimension",
		"changing info":                 "info changed",
		"any shape":                     "want ErrShape",
		"deaf to the context":           "want context.Canceled",
		"failing":                       "unavailable",
		"adding to what was there":      "length NaN",
		"an empty text has a direction": `vector of "" has length 1`,
		"not unit length":               "has length 0.909",
		"other in a batch":              "alone and in a batch",
		"other each time":               "concurrently",
	} {
		err := embed.Verify(t.Context(), letters{fault, new(atomic.Int64)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error that says %q", fault, err, want)
		}
	}
}

func TestShapeErrorSaysWhatIsNeeded(t *testing.T) {
	info := embed.Info{Model: "m", Dim: 3}
	if err := info.CheckShape(2, 6); err != nil {
		t.Error(err)
	}
	err := info.CheckShape(2, 5)
	if !errors.Is(err, embed.ErrShape) || !strings.Contains(err.Error(), "2 texts of dimension 3 need 6 float32, got 5") {
		t.Errorf("error %v", err)
	}
}

func Example() {
	var enc embed.Encoder = letters{calls: new(atomic.Int64)} // or static.Default()
	texts := []string{"see", "rhythm", ""}
	dim := enc.Info().Dim
	out := make([]float32, len(texts)*dim)
	if err := enc.Encode(context.Background(), texts, out); err != nil {
		fmt.Println(err)
		return
	}
	for i, text := range texts {
		fmt.Printf("%q %.2f\n", text, out[i*dim:(i+1)*dim])
	}
	// Output:
	// "see" [0.89 0.45]
	// "rhythm" [0.00 1.00]
	// "" [0.00 0.00]
}
