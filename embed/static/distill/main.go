// Command distill makes the table of embed/static from a text encoder of the BERT family.
//
//	go run ./embed/static/distill --teacher DIR --out TABLE
//	go run ./embed/static/distill --teacher DIR --out TABLE --texts items.jsonl
//	go run ./embed/static/distill --teacher DIR --evaluate TABLE --texts items.jsonl
//
// # What it makes
//
// Without texts, the table that is embedded: what the teacher makes of each token by
// itself, reduced to its principal components and weighted by rank (internal/table). It
// is the same up to the sign of each component, which is not determined and changes no
// inner product.
//
// With texts, a better one for such texts, of the same size and speed: the rows are
// fitted to what the teacher makes of whole texts (internal/learn). The texts are a
// catalog's, or any, one a line (internal/corpus); from a thousand on it is worth it. A
// fifth of them is kept apart to decide when to stop; then all are learned from, for as
// many steps.
//
// TABLE is a folder that static.LoadDir reads, with a manifest.json and a README.md that
// say how it was made. The same teacher, texts, flags and seed give the same table on
// processors with the same instructions.
//
// # What it is worth
//
// The figure is the overlap: of the ten items nearest to an item by the teacher, the
// share that are among the ten nearest by the table (internal/neighbours). With
// --holdout the texts at odd places, in the order of their ids, are learned from in no
// way, and the figure is taken on them once, at the end. --evaluate takes it of any
// table.
//
// MiniLM as teacher, 3,443 office products (titles and the starts of descriptions), half
// of them to learn from, 256 components:
//
//	table       validation, 344 texts   test, 1,721 texts
//	embedded            .403                  .399
//	reproduced          .403                  .398
//	learned             .622                  .609
//
// Of the gain, the linear map alone makes about two thirds. The same table is no worse
// on texts of other kinds: .293 instead of .194 among 1,498 sentences of reviews, .291
// instead of .265 among 3,000 titles of films with their genres. Options were chosen on
// validation texts alone; what did not help there: leaving tokens out at random, larger
// batches, a lower temperature, either term of the loss alone.
//
// # Other languages
//
// The language is the teacher's: a Chinese teacher with its WordPiece vocabulary, such
// as bge-small-zh, makes a Chinese table. Models with a cased, SentencePiece or BPE
// vocabulary are refused, since embed/static does not read text that way
// (internal/teacher).
//
// # Time and memory
//
// With MiniLM on two cores: 15 to 30 seconds for the tokens, one to two minutes until
// the teacher has read 1,700 items and 20,000 pieces of them, half a minute to learn. Its
// vectors of texts are kept in TABLE/cache, which can be deleted. Memory is bounded by
// the vocabulary and by --pieces, and is about 1 GB here.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run gives the exit code: 0, 1 if it failed, 2 if it was called wrongly.
func run(ctx context.Context, args []string, out, log io.Writer) int {
	var c command
	exit := -1 // set when kong has printed a help text and is done
	parser, err := kong.New(&c, kong.Name("distill"), kong.Description(description), kong.Writers(out, log),
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		return fail(log, err, 1)
	}
	_, err = parser.Parse(args)
	switch {
	case exit >= 0:
		return exit
	case err != nil:
		return fail(log, fmt.Errorf("%w; --help shows what there is", err), 2)
	}
	if err = c.check(); err != nil {
		return fail(log, err, 2)
	}
	err = c.run(ctx, out, log)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil: // whatever it broke
		return fail(log, errors.New("interrupted"), 1)
	}
	return fail(log, err, 1)
}

// fail tells an error in one line.
func fail(log io.Writer, err error, code int) int {
	fmt.Fprintln(log, "distill:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	return code
}
