// Package learned reads trained behaviour encoders (embed/behaviour/causal) from bundles
// for server/shop.
//
// # The problem
//
// A trained encoder scores an item by the inner product of two vectors of any length. A
// shop's indexes, and its ranker, want vectors of unit length. And the encoder knows items
// by the rows of a table, a shop by their ids.
//
// # The choices
//
// Where the encoder scores by cosines (its Scale is above 0) its towers' vectors are laid
// side by side and scaled to unit length together: an item's parts all have length one, a
// user's the towers' scales, so that the order of scores is kept.
//
// Where it scores by inner products an item's vector v gets one component more,
//
//	item = (v/M, √(1 − |v|²/M²))    user = (u/|u|, 0)
//
// so that their inner product is u·v/(|u|M): the order is kept, and the vectors have unit
// length (Bachrach et al. 2014). M is a bound of |v|, the largest residual and the
// projection's largest singular value together. The projection is linear and texts have
// unit length, so that no item, new ones included, is longer.
//
// The ids of a bundle's items say which row of the table is whose; other items have their
// text alone. Acts that speak against an item are left out, as in training; so are items
// of which nothing is known.
//
// # The contract
//
// What [Load] returns needs the bundle's files no more, is immutable, and safe for
// concurrent use. It computes each user's vector anew, from the last acts. An encoder of
// kinds, gaps or values of events is refused: their numbering is the training's, and no
// bundle says it yet.
package learned

import (
	"bytes"
	"fmt"
	"math"
	"runtime"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/shop"
)

// model is a trained encoder as a shop sees it.
type model struct {
	towers []*causal.Encoder
	rows   map[string]int // of the table of residuals, by item id
	dim    int            // of the towers together
	window int
	bound  float64 // M; 0: the towers score by cosines
	idle   chan *memory
}

// memory is what one call needs.
type memory struct {
	scratch []*causal.Scratch
	states  []*causal.State
	events  []causal.Event
}

// Load reads the behaviour encoder of a verified bundle. Errors: shop.ErrUnfit,
// bundle.ErrDamaged, causal.ErrFormat, causal.ErrConfig.
func Load(b *bundle.Bundle) (shop.Behaviour, error) {
	raw, err := b.ReadFile(bundle.BehaviourFile)
	if err != nil {
		return nil, err
	}
	towers, err := causal.Read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bundle.BehaviourFile, err)
	}
	m := &model{idle: make(chan *memory, runtime.GOMAXPROCS(0))}
	if err := m.build(towers, b.Manifest()); err != nil {
		return nil, err
	}
	return m, m.readItems(b, towers[0].Config.Items)
}

// build packs the towers, which must go together and with the manifest.
func (m *model) build(towers []causal.Tower, about bundle.Manifest) error {
	first := towers[0].Config
	for i, t := range towers {
		c := t.Config
		switch {
		case c.TextDim != 0 && c.TextDim != about.TextEncoder.Dim:
			return fmt.Errorf("%w: tower %d reads texts of dimension %d, the manifest's encoder %q has %d",
				shop.ErrUnfit, i, c.TextDim, about.TextEncoder.Name, about.TextEncoder.Dim)
		case c.Items != first.Items || (c.Scale > 0) != (first.Scale > 0):
			return fmt.Errorf("%w: towers 0 and %d differ in their items (%d and %d) or in how they score", shop.ErrUnfit, i, first.Items, c.Items)
		case c.Types+c.Gaps+c.Values > 0:
			return fmt.Errorf("%w: tower %d reads %d kinds, %d gaps and %d values of events, whose numbering is not known: train one without",
				shop.ErrUnfit, i, c.Types, c.Gaps, c.Values)
		}
		e, err := causal.NewEncoder(t)
		if err != nil {
			return fmt.Errorf("tower %d: %w", i, err)
		}
		m.towers = append(m.towers, e)
		m.dim += c.Dim
		m.window = max(m.window, c.Window)
	}
	if m.dim != about.BehaviourDim {
		return fmt.Errorf("%w: its weights have dimension %d, its manifest says %d", shop.ErrUnfit, m.dim, about.BehaviourDim)
	}
	if first.Scale == 0 {
		m.bound = lengthBound(towers)
	}
	return nil
}

// readItems reads which row of the residuals is whose.
func (m *model) readItems(b *bundle.Bundle, rows int) error {
	if rows == 0 {
		return nil
	}
	raw, err := b.ReadFile(bundle.ItemsFile)
	if err != nil {
		return err
	}
	ids, err := bundle.ReadItems(bytes.NewReader(raw), rows)
	if err != nil {
		return err
	}
	if len(ids) != rows {
		return fmt.Errorf("%w: %w: %s names %d items, the weights have %d", bundle.ErrDamaged, bundle.ErrManifest, bundle.ItemsFile, len(ids), rows)
	}
	m.rows = make(map[string]int, len(ids))
	for i, id := range ids {
		m.rows[id] = i
	}
	return nil
}

// Dim implements shop.Behaviour.
func (m *model) Dim() int {
	if m.bound > 0 {
		return m.dim + 1
	}
	return m.dim
}

// Window implements shop.Behaviour.
func (m *model) Window() int { return m.window }

// row is that of an item's residual; -1: it has none.
func (m *model) row(id string) int {
	if row, ok := m.rows[id]; ok {
		return row
	}
	return -1
}

// ItemVector implements shop.Behaviour.
func (m *model) ItemVector(dst, text []float32, id string) bool {
	row, at, known := m.row(id), 0, false
	for _, e := range m.towers {
		ok, err := e.Item(dst[at:at+e.Config().Dim], text, row)
		if err != nil {
			return false
		}
		known = known || ok
		at += e.Config().Dim
	}
	if !known {
		return false
	}
	if m.bound == 0 {
		return toUnit(dst)
	}
	var squares float64
	for i, x := range dst[:m.dim] {
		dst[i] = float32(float64(x) / m.bound)
		squares += float64(dst[i]) * float64(dst[i])
	}
	dst[m.dim] = float32(math.Sqrt(max(0, 1-squares)))
	return squares > 0 && toUnit(dst) // rounding may have put it a little past M
}

// Encode implements shop.Behaviour.
func (m *model) Encode(dst []float32, acts []shop.Act) bool {
	k := m.take()
	defer m.put(k)
	k.events = k.events[:0]
	for i := range acts {
		a := &acts[i]
		row := m.row(a.Item)
		if a.Weight <= 0 || row < 0 && a.Text == nil {
			continue
		}
		k.events = append(k.events, causal.Event{Item: row, Text: a.Text})
	}
	clear(dst)
	if len(k.events) == 0 {
		return false
	}
	at := 0
	for i, e := range m.towers {
		last := k.events[max(0, len(k.events)-e.Config().Window):]
		if err := e.Encode(k.scratch[i], k.states[i], dst[at:at+e.Config().Dim], last, 0); err != nil {
			clear(dst)
			return false
		}
		at += e.Config().Dim
	}
	return toUnit(dst[:m.dim])
}

// take returns memory for a call. As much is kept as calls can run at once.
func (m *model) take() *memory {
	select {
	case k := <-m.idle:
		return k
	default:
	}
	k := &memory{}
	for _, e := range m.towers {
		k.scratch, k.states = append(k.scratch, e.NewScratch()), append(k.states, e.NewState())
	}
	return k
}

func (m *model) put(k *memory) {
	clear(k.events) // they point at vectors of the catalog
	select {
	case m.idle <- k:
	default:
	}
}

// toUnit scales a vector to unit length; false: it has no direction.
func toUnit(v []float32) bool {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	if !(squares > 0) || math.IsInf(squares, 0) {
		clear(v)
		return false
	}
	scale := float32(1 / math.Sqrt(squares))
	for i := range v {
		v[i] *= scale
	}
	return true
}
