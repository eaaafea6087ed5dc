package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
	ranking "github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/shop"
)

// MaxContenders bounds what is compared at once: each keeps its answers.
const MaxContenders = 16

// Kinds of contenders that need no file.
const (
	KindMean    = "mean"    // users' vectors are means of text vectors
	KindLearned = "learned" // users' vectors are learned
	KindPopular = "popular" // acts of training, whoever asks
	KindItemKNN = "itemknn" // the cosine of the users who met both items
)

// A Contender is asked the same questions as what is evaluated, over what was trained or
// counted for it wherever the two share that.
type Contender struct {
	Name string
	Spec string // as it was given: a kind, or a path

	weights *ranker.Weights
	bundle  *bundle.Bundle
	policy  *kindredv1.Policy
}

// ParseContender reads NAME=SPEC. SPEC is mean, learned, popular or itemknn, the folder of a
// bundle, a file of weights (ranker.json of a bundle: {"weights": …}), or a file of a policy as
// `policies put` takes it. Files are read here.
func ParseContender(text string) (Contender, error) {
	name, spec, found := strings.Cut(text, "=")
	c := Contender{Name: name, Spec: spec}
	if !found || name == "" || spec == "" {
		return c, fmt.Errorf("%w: contender %q; it must be NAME=SPEC, such as knn=itemknn or varied=policy.json", ErrOptions, text)
	}
	switch spec {
	case KindMean, KindLearned, KindPopular, KindItemKNN:
		return c, nil
	}
	info, err := os.Stat(spec)
	if err != nil {
		return c, fmt.Errorf("%w: contender %q is neither %s, %s, %s or %s nor a file or folder that is there: %w",
			ErrOptions, text, KindMean, KindLearned, KindPopular, KindItemKNN, err)
	}
	if info.IsDir() {
		if c.bundle, err = bundle.Open(spec, bundle.Limits{}); err != nil {
			err = fmt.Errorf("%w: contender %q: %w", ErrOptions, name, err)
		}
		return c, err
	}
	if err := c.read(info.Size()); err != nil {
		return c, fmt.Errorf("%w: contender %q: %s: %w", ErrOptions, name, spec, err)
	}
	return c, nil
}

// twice is a name that two contenders have, or the one that tables keep, "" where there is none.
func twice(all []Contender) string {
	names := map[string]bool{EvaluatedName: true}
	for _, c := range all {
		if names[c.Name] {
			return c.Name
		}
		names[c.Name] = true
	}
	return ""
}

// maxContenderFile is far beyond any weights or policy.
const maxContenderFile = 1 << 20

func (c *Contender) read(size int64) error {
	if size > maxContenderFile {
		return fmt.Errorf("it has %d bytes; weights and policies have at most %d", size, maxContenderFile)
	}
	text, err := os.ReadFile(c.Spec)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("it is neither weights nor a policy: %w", err)
	}
	if _, weights := fields["weights"]; weights {
		w, err := holdout.Read(bytes.NewReader(text))
		c.weights = &w
		return err
	}
	c.policy, err = parsePolicy(text)
	return err
}

// What a contender is, in words.
func (c Contender) what() string {
	switch {
	case c.bundle != nil:
		return "bundle"
	case c.weights != nil:
		return "weights"
	case c.policy != nil:
		return "policy"
	}
	return c.Spec
}

// contend makes a contender's asker. note is what a reader should know of it.
func (b *bench) contend(c Contender, own func() asker) (newAsker func() asker, note string, err error) {
	switch {
	case c.policy != nil:
		at := slices.IndexFunc(b.rules, func(r ruled) bool { return r.name == c.Name })
		r := b.rules[at]
		return func() asker { return withPolicy(own(), r.policy) }, r.note, nil
	case c.weights != nil:
		s, err := b.side(b.o.Behaviour)
		if err != nil {
			return nil, "", err
		}
		newAsker, err := b.scored(s, c.weights, c.weights)
		return newAsker, "", err
	case c.bundle != nil:
		return b.ofBundle(c.bundle)
	case c.Spec == KindPopular:
		return newBaseline(b.split, popular(b.split)), "", nil
	case c.Spec == KindItemKNN:
		return newBaseline(b.split, itemKNN(b.split)), "", nil
	}
	s, err := b.side(Behaviour(c.Spec))
	if err != nil {
		return nil, "", err
	}
	newAsker, err = b.fitted(s, new(Result))
	return newAsker, "", err
}

// fits refuses a bundle of another text encoder, before anything is trained.
func (c Contender) fits(encoder string, dim int) error {
	if c.bundle == nil {
		return nil
	}
	if of := c.bundle.Manifest().TextEncoder; of.Name != encoder || of.Dim != dim {
		return fmt.Errorf("%w: contender %q reads vectors of encoder %q (%d components), and this is %q (%d); give --encoder the bundle's",
			ErrOptions, c.Name, of.Name, of.Dim, encoder, dim)
	}
	return nil
}

// ofBundle serves a bundle as a shop would: its behaviour encoder, and its model of the
// ranker or the default weights. Counts are of the train part.
func (b *bench) ofBundle(of *bundle.Bundle) (func() asker, string, error) {
	encoder, err := learned.Open(of)
	if err != nil {
		return nil, "", err
	}
	loaded, err := ranking.Load(of)
	if err != nil {
		return nil, "", err
	}
	t := &trained{encoder: encoder}
	if t.items, err = t.place(b.split, b.texts); err != nil {
		return nil, "", err
	}
	s, err := b.sideOf(func() profiler { return &learnedProfile{trained: t, split: b.split, texts: b.texts} }, t.items)
	if err != nil {
		return nil, "", err
	}
	var model ranker.Model
	if ranked, ok := loaded.(shop.Ranked); ok {
		model = ranked.Ranking()
	}
	newAsker, err := b.scored(s, b.o.Weights, model)
	return newAsker, b.trainedOn(of.Manifest().Data), err
}

// trainedOn warns of a bundle that may have been trained on what it is asked.
func (b *bench) trainedOn(data bundle.DataRange) string {
	last := latest(b.split)
	switch {
	case data.Last.IsZero() || last.IsZero():
		return "whether the bundle was trained on what it is asked is not known: one of the two has no times"
	case data.Last.After(last):
		return fmt.Sprintf("the bundle was trained on events until %s, the train part ends at %s: it may know the answers",
			data.Last.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	return ""
}

// latest is the time of the last event of training, zero where times are made up.
func latest(split *dataset.Split) time.Time {
	last := int64(0)
	for _, s := range split.Train {
		for _, e := range s.Events {
			last = max(last, micros(e))
		}
	}
	if last == 0 {
		return time.Time{}
	}
	return time.UnixMicro(last)
}
