package evaluate

import (
	"cmp"
	"context"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/server/exact"
)

// bench is what one split's contenders share: the vectors of texts, and for each kind of
// users' vectors what was trained, counted and fitted for it.
type bench struct {
	ctx   context.Context // of the run that owns it
	o     Options
	split *dataset.Split
	table *catalog.Table
	texts *exact.Space
	rules []ruled // of each contender that is a policy
	sides map[Behaviour]*side
	main  *Result // told of what was trained and fitted for o.Behaviour
}

// side is what goes with one kind of users' vectors.
type side struct {
	newProfile func() profiler
	users      *exact.Space
	world      ranker.World // of stage Full
	fitted     func() asker // nil: not yet
}

func newBench(ctx context.Context, split *dataset.Split, o Options, result *Result) (*bench, error) {
	encoder := o.Encoder
	if encoder == nil {
		embedded, err := static.Default()
		if err != nil {
			return nil, err
		}
		encoder = embedded
	}
	info := encoder.Info()
	for _, c := range o.Compare {
		if err := c.fits(info.Model, info.Dim); err != nil {
			return nil, err
		}
	}
	result.Encoder, result.Backend = info.Model, cmp.Or(o.Backend, "go")
	b := &bench{ctx: ctx, o: o, split: split, sides: map[Behaviour]*side{}, main: result}
	var err error
	if b.table, err = newCatalog(split); err != nil {
		return nil, err
	}
	if b.rules, err = b.policies(); err != nil {
		return nil, err
	}
	b.texts, err = encode(ctx, encoder, split.Items)
	return b, err
}

// side trains and counts for a kind of users' vectors, once.
func (b *bench) side(kind Behaviour) (*side, error) {
	if s, made := b.sides[kind]; made {
		return s, nil
	}
	o, result := b.o, b.main
	if kind != b.o.Behaviour {
		o.Behaviour, result = kind, new(Result)
	}
	newProfile, users, err := o.behaviour(b.ctx, b.split, b.texts, result)
	if err != nil {
		return nil, err
	}
	s, err := b.sideOf(newProfile, users)
	if err != nil {
		return nil, err
	}
	b.sides[kind] = s
	return s, nil
}

// sideOf counts for users' vectors that are made elsewhere.
func (b *bench) sideOf(newProfile func() profiler, users *exact.Space) (*side, error) {
	s := &side{newProfile: newProfile, users: users}
	if b.o.Stage != Full {
		return s, nil
	}
	var err error
	s.world, err = newWorld(b.split, b.table, b.texts, users, b.o)
	return s, err
}

// own makes the asker of what is evaluated.
func (b *bench) own() (func() asker, error) {
	s, err := b.side(b.o.Behaviour)
	if err != nil {
		return nil, err
	}
	if b.o.Stage == Retrieval {
		return func() asker {
			return &retrieval{profile: s.newProfile(), space: s.users, items: len(b.split.Items), repeats: b.split.Repeats}
		}, nil
	}
	return b.fitted(s, b.main)
}

// scored asks a side with a model of the ranker, or, where that is nil, with weights; with the
// default ones where both are.
func (b *bench) scored(s *side, weights *ranker.Weights, model ranker.Model) (func() asker, error) {
	own := s.world
	own.Weights, own.Model = weights, model
	pipeline, err := ranker.New(own)
	if err != nil {
		return nil, err
	}
	return func() asker { return b.full(s, pipeline) }, nil
}

func (b *bench) full(s *side, p *ranker.Pipeline) *full {
	return &full{profile: s.newProfile(), pipeline: p, items: len(b.split.Items), repeats: b.split.Repeats, seed: b.o.Seed}
}

// fitted asks a side with what is fitted to it, or the default weights, as the options say.
func (b *bench) fitted(s *side, result *Result) (func() asker, error) {
	if s.fitted != nil {
		return s.fitted, nil
	}
	result.Weights = "default"
	if b.o.Weights != nil {
		result.Weights = "given"
	}
	var err error
	switch {
	case !b.o.Fit:
		s.fitted, err = b.scored(s, b.o.Weights, nil)
	case b.o.Split == Test:
		result.Weights = "fitted on validation"
		var p *ranker.Pipeline
		p, err = b.fit(s, b.split.Valid, result)
		s.fitted = func() asker { return b.full(s, p) }
	default:
		result.Weights = "fitted on the other half of validation"
		var halves [2]*ranker.Pipeline
		for h := range halves {
			if halves[h], err = b.fit(s, otherHalf(b.split.Valid, h), result); err != nil {
				return nil, err
			}
		}
		s.fitted = func() asker { return &crossed{b.full(s, halves[0]), b.full(s, halves[1])} }
	}
	if err != nil {
		return nil, err
	}
	return s.fitted, nil
}

// fit makes a pipeline of what is fitted on questions.
func (b *bench) fit(s *side, questions []dataset.Query, result *Result) (*ranker.Pipeline, error) {
	chosen, err := b.o.fitModel(b.ctx, questions, s.world, s.newProfile(), b.split.Repeats)
	if err != nil {
		return nil, err
	}
	result.Fitted, result.Ranker, result.Trial = chosen.Weights, chosen.Kind, chosen.Trial
	own := s.world
	own.Weights, own.Model = &chosen.Weights, chosen.Model
	return ranker.New(own)
}
