package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/corpus"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/learn"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/teacher"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// build makes one table.
type build struct {
	command  *command
	teacher  *teacher.Teacher
	cache    teacher.Cache
	corpus   corpus.Corpus
	progress teacher.Progress
}

// run makes the table, writes it, and returns what is known of it.
func (b *build) run(ctx context.Context) (*manifest, error) {
	began := time.Now()
	vocab, dim := b.teacher.Vocabulary(), b.teacher.Dim()
	if b.command.Dim > dim {
		return nil, fmt.Errorf("--dim %d: the teacher's vectors have %d components; want at most as many", b.command.Dim, dim)
	}
	var p parts
	if b.command.Texts != "" {
		var err error
		if p, err = b.split(); err != nil {
			return nil, err
		}
	}
	tokens, err := b.teacher.Tokens(ctx, b.teacher.All(), b.progress)
	if err != nil {
		return nil, err
	}
	rows, err := table.Reduce(tokens, dim, b.command.Dim, vocab)
	if err != nil {
		return nil, err
	}
	m := b.newManifest()
	if b.command.Texts != "" {
		if rows, err = b.learn(ctx, m, p, tokens, rows); err != nil {
			return nil, err
		}
	}
	m.Seconds = time.Since(began).Seconds()
	return m, m.write(b.command.Out, rows, vocab)
}

// parts are the texts by their use.
type parts struct{ fit, validation, test []corpus.Text }

// fewest is how many texts can be learned from: as many as make a validation figure.
const fewest = 100

// split parts the texts. A fifth of those that are learned from is for validation.
func (b *build) split() (p parts, err error) {
	p.fit = b.corpus.Texts
	if b.command.Holdout {
		p.fit, p.test = corpus.Halves(p.fit)
	}
	if len(p.fit) < fewest {
		return p, fmt.Errorf("%s gives %d texts to learn from (%d rows without text, %d twins left out); want at least %d",
			b.command.Texts, len(p.fit), b.corpus.Empty, b.corpus.Twins, fewest)
	}
	shuffled := slices.Clone(p.fit)
	r := rand.New(rand.NewPCG(b.command.Seed, 0x73706c6974))
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	fifth := len(shuffled) / 5
	p.validation, p.fit = shuffled[:fifth], shuffled[fifth:]
	return p, nil
}

// read is some texts with what the teacher made of them.
type read struct {
	texts   []string
	vectors []float32 // [texts, Dim]
}

func (b *build) read(ctx context.Context, texts []string) (read, error) {
	vectors, err := b.cache.Texts(ctx, b.teacher, texts, b.progress)
	return read{texts, vectors}, err
}

// examples makes examples of whole texts and pieces.
func (b *build) examples(tokenizer *wordpiece.Tokenizer, whole, pieces []read) learn.Examples {
	e := learn.Examples{Dim: b.teacher.Dim()}
	add := func(all []read) {
		for _, r := range all {
			for _, text := range r.texts {
				ids, _ := tokenizer.Append(nil, text)
				e.Tokens = append(e.Tokens, ids)
			}
			e.Vectors = append(e.Vectors, r.vectors...)
		}
	}
	add(whole)
	e.Whole = len(e.Tokens)
	add(pieces)
	return e
}

// learn returns learned rows and notes in m how they came about. tokens are the
// teacher's vectors, reduced the rows that one has without texts.
func (b *build) learn(ctx context.Context, m *manifest, p parts, tokens []float32, reduced table.Rows) (table.Rows, error) {
	vocab := b.teacher.Vocabulary()
	none := table.Rows{}
	tokenizer, err := wordpiece.New(vocab, wordpiece.Options{MaxBytes: static.MaxBytes})
	if err != nil {
		return none, err
	}
	var all [5]read // fit, validation, test, pieces of fit, pieces of validation
	apart := b.command.Pieces / 5
	for i, texts := range [][]string{corpus.Wholes(p.fit), corpus.Wholes(p.validation), corpus.Wholes(p.test),
		corpus.Pieces(p.fit, b.command.Pieces-apart, b.command.Seed), corpus.Pieces(p.validation, apart, b.command.Seed+1)} {
		if all[i], err = b.read(ctx, texts); err != nil {
			return none, err
		}
	}
	fit, validation, test := all[0], all[1], all[2]
	weighted, err := table.Weighted(tokens, b.teacher.Dim(), vocab)
	if err != nil {
		return none, err
	}
	judge, err := b.judge(ctx, validation.texts, validation.vectors)
	if err != nil {
		return none, err
	}
	validationTokens := b.examples(tokenizer, []read{validation}, nil).Tokens
	validate := func(rows table.Rows) (float64, error) {
		return judge.vectors(ctx, rows.Encode(validationTokens), rows.Dim)
	}
	found, err := b.fit(ctx, "learns", weighted, b.examples(tokenizer, []read{fit}, all[3:4]), m.Learning.Options.Steps, validate)
	if err != nil {
		return none, err
	}
	m.Learning.Steps, m.Learning.Curve = found.Steps, found.Curve
	m.note(p)
	if err := b.figures(ctx, m, "validation", judge, reduced, found.Rows); err != nil {
		return none, err
	}
	final, err := b.fit(ctx, "learns from all", weighted, b.examples(tokenizer, []read{fit, validation}, all[3:]), found.Steps, nil)
	if err != nil || !b.command.Holdout {
		return final.Rows, err
	}
	if judge, err = b.judge(ctx, test.texts, test.vectors); err != nil {
		return none, err
	}
	return final.Rows, b.figures(ctx, m, "test", judge, reduced, final.Rows)
}

// fit learns from examples for at most so many steps.
func (b *build) fit(ctx context.Context, what string, weighted table.Rows, e learn.Examples, until int,
	validate func(table.Rows) (float64, error)) (learn.Result, error) {
	target, err := learn.NewTarget(e, b.command.Dim)
	if err != nil {
		return learn.Result{}, err
	}
	start, err := learn.Start(weighted, e, target)
	if err != nil {
		return learn.Result{}, err
	}
	return learn.Train(ctx, start, e, target, b.command.options(), until, validate, func(share float64) { b.progress(what, share) })
}

// figures takes those of three tables on some texts, as they are served.
func (b *build) figures(ctx context.Context, m *manifest, part string, j *judge, reduced, learned table.Rows) error {
	embedded, err := static.Default()
	if err != nil {
		return err
	}
	tables := map[string]*static.Encoder{"embedded": embedded}
	for name, rows := range map[string]table.Rows{"reproduced": reduced, "learned": learned} {
		if tables[name], err = asServed(rows, b.teacher.Vocabulary()); err != nil {
			return err
		}
	}
	for _, name := range []string{"embedded", "reproduced", "learned"} {
		overlap, err := j.encoder(ctx, tables[name])
		if err != nil {
			return err
		}
		m.Figures = append(m.Figures, figure{name, part, len(j.texts), overlap})
	}
	return nil
}
