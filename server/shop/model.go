package shop

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
)

// Behaviour is a trained behaviour encoder: items and users in one space, whose inner
// product says what comes next. It is pure, deterministic and safe for concurrent use.
type Behaviour interface {
	// Dim is the dimension of the space.
	Dim() int
	// ItemVector writes an item's vector, [Dim] float32 of unit length, made of the vector
	// of its text and of what was learned of the item itself, if anything was; false: it
	// has none.
	ItemVector(dst, text []float32, itemID string) bool
	// Window is how many of a user's last acts it reads, at least 1.
	Window() int
	// Encode writes a user's vector, [Dim] float32 of unit length; false: the acts say
	// nothing. Acts are in the order of the log, the newest last, at most Window; they are
	// not kept.
	Encode(dst []float32, acts []Act) bool
}

// Ranked is a [Behaviour] that comes with the model of the ranker that was trained for it.
type Ranked interface {
	Behaviour
	// Ranking scores recommendations. Where it is a ranker.Calibrated, scores can be told as
	// probabilities.
	Ranking() ranker.Model
}

// Act is one event of a user, as a behaviour encoder reads it.
type Act struct {
	Item   string    // id; empty: the item is not in the catalog any more
	Text   []float32 // vector of the item's text; nil: it has none
	Vector []float32 // the item's in the encoder's space; nil: it has none
	Kind   ranker.Kind
	Weight float32 // how much it attracts; negative: it speaks against the item
	Time   int64   // unix microseconds; 0: not known
}

// model is a trained model that serves or is about to: its encoder, and the items in its
// space. The item vectors follow those of the texts.
type model struct {
	hash      bundle.Hash
	behaviour Behaviour
	id        func(number uint32) string // of an item; "" if it is not in the catalog
	*space
}

func (s *Shop) newModel(hash bundle.Hash, b Behaviour) *model {
	return &model{hash: hash, behaviour: b, id: s.rowID, space: s.newSpace(b.Dim(), &s.models.graphFailed)}
}

// rowID is the id of an item in the catalog.
func (s *Shop) rowID(number uint32) string {
	if row := s.table.Row(number); row != nil {
		return row.ID
	}
	return ""
}

// vector makes the vector of an item whose text has one; nil: it has none.
func (m *model) vector(number uint32, text []float32) []float32 {
	if text == nil {
		return nil
	}
	v := make([]float32, m.dim())
	if !m.behaviour.ItemVector(v, text, m.id(number)) {
		return nil
	}
	return v
}

// follow gives an item the vector that goes with its text's.
func (m *model) follow(number uint32, text []float32) error {
	return m.put(number, m.vector(number, text))
}

// errNoLoader: the program has no reader for trained models.
var errNoLoader = errors.New("this program cannot read trained models")

// openModel verifies a bundle and reads its model, for the tenant's text encoder.
func (s *Shop) openModel(hash bundle.Hash) (*model, error) {
	b, release, err := s.models.registry.Hold(hash)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := fits(b.Manifest(), s.config.Encoder.Info()); err != nil {
		return nil, err
	}
	if s.config.Models.Load == nil {
		return nil, errNoLoader
	}
	made, err := s.config.Models.Load(b)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", hash.Short(), err)
	}
	return s.newModel(hash, made), nil
}

// fits refuses a bundle that is not of the tenant's text encoder.
func fits(m bundle.Manifest, info embed.Info) error {
	switch {
	case m.BehaviourDim == 0:
		return fmt.Errorf("bundle %s: %w: it has no behaviour encoder", m.Hash.Short(), ErrUnfit)
	case m.BehaviourDim > maxModelDim:
		return fmt.Errorf("bundle %s: %w: its vectors have dimension %d, at most %d are served", m.Hash.Short(), ErrUnfit, m.BehaviourDim, maxModelDim)
	case m.TextEncoder.Dim != info.Dim:
		return fmt.Errorf("bundle %s: %w: it was trained over text vectors of dimension %d (%s), the tenant's have %d (%s): train one over those, or serve with that encoder",
			m.Hash.Short(), ErrUnfit, m.TextEncoder.Dim, m.TextEncoder.Name, info.Dim, info.Model)
	case m.TextEncoder.Name != info.Model:
		return fmt.Errorf("bundle %s: %w: it was trained over the vectors of text encoder %q, the tenant's is %q: train one over those, or serve with that encoder",
			m.Hash.Short(), ErrUnfit, m.TextEncoder.Name, info.Model)
	}
	return nil
}

// maxModelDim bounds the vectors that profiles keep; a reader may add a component.
const maxModelDim = 1024

// equip gives a generation that does not serve yet the model that should, with the
// vectors of all its items. What the applier changes meanwhile it changes in both.
func (s *Shop) equip(ctx context.Context, next *generation, workers int) error {
	m, fresh := s.modelFor(next)
	s.applying.Lock()
	err := s.assemble(next, m)
	s.applying.Unlock()
	if err != nil || !fresh {
		return err
	}
	return s.fillModel(ctx, next, m, workers)
}

// modelFor returns the model for a generation, nil for none. fresh: its items have no
// vectors yet.
func (s *Shop) modelFor(next *generation) (m *model, fresh bool) {
	if next.bridge || s.models == nil {
		return nil, false
	}
	now, want := s.gen.Load().model, s.models.target.Load()
	if now != nil && (now.hash == want.hash || want.fault != "") {
		if s.chooseFor(now.failed, now.engine, int(now.encoded.Load())) == now.engine {
			return now, false
		}
		m = s.newModel(now.hash, now.behaviour)
		s.applying.Lock()
		defer s.applying.Unlock()
		m.adopt(now.space)
		return m, false
	}
	if want.hash == "" {
		return nil, false
	}
	m, err := s.openModel(want.hash)
	if err == nil {
		return m, true
	}
	s.failTarget(want, err)
	return now, false // what served goes on
}

// fillModel gives a model the items that a generation has, from several workers. An item
// whose text changes meanwhile is the applier's.
func (s *Shop) fillModel(ctx context.Context, g *generation, m *model, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Uint32
	limit := g.vectors.limit()
	for range workers {
		group.Go(func() error {
			for ctx.Err() == nil {
				from := next.Add(alignChunk) - alignChunk
				if from >= limit {
					break
				}
				if err := s.fillChunk(g, m, from); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("making the item vectors of bundle %s: %w", m.hash.Short(), err)
	}
	return nil
}

// fillChunk makes the vectors of some items, and then puts those whose texts still are
// what they were.
func (s *Shop) fillChunk(g *generation, m *model, from uint32) error {
	var numbers []uint32
	var texts, made [][]float32
	for number := from; number < from+alignChunk; number++ {
		if text := g.vectors.Vector(number); text != nil {
			numbers, texts, made = append(numbers, number), append(texts, text), append(made, m.vector(number, text))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	for i, number := range numbers {
		if now := g.vectors.Vector(number); now == nil || &now[0] != &texts[i][0] {
			continue
		}
		if err := m.put(number, made[i]); err != nil {
			return fmt.Errorf("item number %d: %w", number, err)
		}
	}
	return nil
}
