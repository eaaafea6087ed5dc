package shop

import (
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/ranker"
)

// generation is what serves a tenant now: the space of the texts, which searches, similar
// items and neighbours are found in; and, with a trained model, the space of its user
// vectors. Without one, user vectors are of the texts' space too.
type generation struct {
	id      string // stands still once it serves
	number  int64  // counts the tenant's generations since the start
	encoder embed.Encoder
	queries embed.Encoder // of what somebody searches for
	slow    bool          // the encoder is: vectors come from the backlog
	bridge  bool          // serves until another one is filled
	*space                // of the texts

	// model and pipeline change until the generation serves, under Shop.applying.
	model    *model // nil: none
	pipeline *ranker.Pipeline
}

// newGeneration makes one over the tenant's live table and counters. texts is a space to
// share with a generation of the same encoder; nil: it has its own, whose index is to be
// built.
func (s *Shop) newGeneration(encoder embed.Encoder, bridge bool, texts *space) (*generation, error) {
	g := &generation{
		number: s.generations.Add(1), encoder: encoder, queries: embed.QueriesOf(encoder), bridge: bridge,
		slow: !bridge && s.encoding != nil, space: texts,
	}
	if texts == nil {
		g.space = s.newSpace(encoder.Info().Dim, &s.graphFailed)
		var err error
		if g.around, err = ranker.NewNeighbourCache(g.nearest, g.vectors, neighbourSlots, neighbourCount); err != nil {
			return nil, err
		}
	}
	return g, s.assemble(g, nil)
}

// like makes another generation of the same vectors, with a space of its own.
func (s *Shop) like(g *generation) (*generation, error) {
	return s.newGeneration(g.encoder, g.bridge, nil)
}

// assemble gives a generation that does not serve yet its model, nil for none, and its
// pipeline.
func (s *Shop) assemble(g *generation, m *model) error { return s.assembleOver(g, m, s.counters) }

// assembleOver is [Shop.assemble] over counters that need not be the tenant's own.
func (s *Shop) assembleOver(g *generation, m *model, c counters) error {
	world := ranker.World{
		Catalog: s.table, Vectors: g.vectors, Nearest: g.nearest, Neighbours: g.around,
		CoVisited: c.covisit, Popular: c.popular, Trending: c.trending, Arrivals: s.arrivals, Conversion: c.conversion,
		Exposures: s.exposures,
	}
	if m != nil {
		world.UserSpace, world.Nearest = m.vectors, m.nearest
		if fitted, ok := m.behaviour.(Ranked); ok {
			world.Model = fitted.Ranking()
		}
	}
	pipeline, err := ranker.New(world)
	if err != nil {
		return err
	}
	g.model, g.pipeline = m, pipeline
	return nil
}

// name gives a generation whose spaces are built its id: model of the texts, engine,
// number and, with a trained model, the first digits of its hash.
func (g *generation) name() {
	g.id = fmt.Sprintf("%s/%s/%d", g.encoder.Info().Model, g.engine, g.number)
	if g.model != nil {
		g.id += "/bundle:" + g.model.hash.Short()
	}
}

// spaces lists those of the texts and of the model.
func (g *generation) spaces() []*space {
	if g.model == nil {
		return []*space{g.space}
	}
	return []*space{g.space, g.model.space}
}

// users is the space of user vectors.
func (g *generation) users() *space {
	if g.model != nil {
		return g.model.space
	}
	return g.space
}

// put gives an item the vector of its text, nil to take it out, and with it the model's.
// The vector must not change after.
func (g *generation) put(number uint32, v []float32) error {
	if err := g.space.put(number, v); err != nil || g.model == nil {
		return err
	}
	return g.model.follow(number, v)
}

// putAll puts many.
func (g *generation) putAll(made []coded) error {
	for _, c := range made {
		if err := g.put(c.number, c.vector); err != nil {
			return err
		}
	}
	return nil
}
