package shop

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/popularity"
	"github.com/kindred-rec/kindred/server/record"
)

// counters are what is counted from events: derived from the log, saved now and
// then so that a restart reads only what came later.
type counters struct {
	events   int64 // counted
	latest   int64 // largest event time, unix microseconds
	weights  float64
	acts     int64 // weights is the sum of theirs
	covisit  *covisit.Graph
	popular  *popularity.Counter
	trending *popularity.Counter
	// conversion counts impressions, clicks, openings and purchases; 32 bytes an item.
	conversion *conversion.Counter
}

// trendingHalfLife is how fast a trend is forgotten.
const trendingHalfLife = 7 * 24 * time.Hour

func (c Config) covisitOptions() covisit.Options {
	return covisit.Options{MaxItems: int(c.MaxItems)}
}

func (c Config) popularityOptions(halfLife time.Duration) popularity.Options {
	return popularity.Options{MaxItems: int(c.MaxItems), HalfLife: halfLife}
}

func (c Config) conversionOptions() conversion.Options {
	return conversion.Options{MaxItems: int(c.MaxItems)}
}

func newCounters(c Config) (counters, error) {
	graph, err := covisit.New(c.covisitOptions())
	if err != nil {
		return counters{}, err
	}
	popular, err := popularity.New(c.popularityOptions(0))
	if err != nil {
		return counters{}, err
	}
	trending, err := popularity.New(c.popularityOptions(trendingHalfLife))
	if err != nil {
		return counters{}, err
	}
	converted, err := conversion.New(c.conversionOptions())
	return counters{covisit: graph, popular: popular, trending: trending, conversion: converted}, err
}

// checkpointKind names the counters' checkpoint; its number changes with its form.
const checkpointKind = "counters/2"

// appendBinary appends the four numbers, then the four parts, each after its length.
func (c counters) appendBinary(out []byte) ([]byte, error) {
	out = binary.BigEndian.AppendUint64(out, uint64(c.events))
	out = binary.BigEndian.AppendUint64(out, uint64(c.latest))
	out = binary.BigEndian.AppendUint64(out, math.Float64bits(c.weights))
	out = binary.BigEndian.AppendUint64(out, uint64(c.acts))
	for _, part := range []interface {
		AppendBinary([]byte) ([]byte, error)
	}{c.covisit, c.popular, c.trending, c.conversion} {
		at := len(out)
		out = append(out, make([]byte, 8)...)
		var err error
		if out, err = part.AppendBinary(out); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint64(out[at:], uint64(len(out)-at-8))
	}
	return out, nil
}

var errShortCheckpoint = errors.New("the checkpoint of the counters ends early")

func loadCounters(raw []byte, c Config) (counters, error) {
	if len(raw) < 32 {
		return counters{}, errShortCheckpoint
	}
	var numbers [4]uint64
	for i := range numbers {
		numbers[i], raw = binary.BigEndian.Uint64(raw), raw[8:]
	}
	var parts [4][]byte
	for i := range parts {
		if len(raw) < 8 || uint64(len(raw)-8) < binary.BigEndian.Uint64(raw) {
			return counters{}, errShortCheckpoint
		}
		n := binary.BigEndian.Uint64(raw)
		parts[i], raw = raw[8:8+n], raw[8+n:]
	}
	graph, err := covisit.Load(parts[0], c.covisitOptions())
	if err != nil {
		return counters{}, err
	}
	popular, err := popularity.Load(parts[1], c.popularityOptions(0))
	if err != nil {
		return counters{}, err
	}
	trending, err := popularity.Load(parts[2], c.popularityOptions(trendingHalfLife))
	if err != nil {
		return counters{}, err
	}
	converted, err := conversion.Load(parts[3], c.conversionOptions())
	return counters{
		events: int64(numbers[0]), latest: int64(numbers[1]), weights: math.Float64frombits(numbers[2]), acts: int64(numbers[3]),
		covisit: graph, popular: popular, trending: trending, conversion: converted,
	}, err
}

// restoreCounters loads the last checkpoint, or begins anew if there is none or it
// cannot be used: then the whole log is read.
func (s *Shop) restoreCounters() error {
	err := s.log.Checkpoint(checkpointKind, func(seq uint64, r io.Reader) error {
		raw, err := readWhole(r)
		if err != nil {
			return err
		}
		loaded, err := loadCounters(raw, s.config)
		if err == nil {
			s.counters, s.countersAt = loaded, seq
			s.clock.see(loaded.latest)
			s.events.Store(loaded.events)
			s.strength.restore(loaded.weights, loaded.acts)
		}
		return err
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, record.ErrNotFound) {
		s.config.Log.Warn("counters are read anew from the log", "reason", err)
	}
	s.counters, err = newCounters(s.config)
	return err
}

// readWhole reads what a reader has, without growing where it knows how much that is.
func readWhole(r io.Reader) ([]byte, error) {
	if known, ok := r.(interface{ Len() int }); ok {
		raw := make([]byte, known.Len())
		_, err := io.ReadFull(r, raw)
		return raw, err
	}
	return io.ReadAll(r)
}

// countConversion adds an event to the counts of conversion, where it is one of their acts: what
// was shown, clicked, opened (a click opens, too) and bought, whatever the tenant lets it
// weigh.
func (s *Shop) countConversion(e *record.Stored) {
	for _, act := range conversionActs(e.Type) {
		if err := s.counters.conversion.Add(e.ItemNumber, act, e.Time.UnixMicro()); err != nil {
			s.config.Log.Error("event not counted as conversion", "seq", e.Seq, "error", err)
		}
	}
}

var (
	shownActs  = []conversion.Act{conversion.Shown}
	clickActs  = []conversion.Act{conversion.Clicked, conversion.Opened}
	viewActs   = []conversion.Act{conversion.Opened}
	boughtActs = []conversion.Act{conversion.Bought}
)

func conversionActs(eventType string) []conversion.Act {
	switch eventType {
	case record.TypeImpression:
		return shownActs
	case record.TypeClick:
		return clickActs
	case record.TypeView:
		return viewActs
	case record.TypePurchase:
		return boughtActs
	}
	return nil
}

// count adds an event to the counters. Acts that speak against an item are no
// visits: they count for the profile alone.
func (s *Shop) count(e *record.Stored, weight float32) {
	if weight <= 0 {
		return
	}
	at := e.Time.UnixMicro()
	s.strength.add(weight)
	strength := s.strength.of(weight)
	if err := s.counters.popular.Add(e.ItemNumber, float64(strength), at); err != nil {
		s.config.Log.Error("event not counted", "seq", e.Seq, "error", err)
		return
	}
	if err := s.counters.trending.Add(e.ItemNumber, float64(strength), at); err != nil {
		s.config.Log.Error("event not counted as trend", "seq", e.Seq, "error", err)
	}
	s.trail = s.trailBefore(e, s.trail[:0])
	step := covisit.Step{Item: e.ItemNumber, Weight: strength, Time: at}
	if visitGoesOn(s.trail, step, KindOf(e.Type)) {
		return
	}
	if err := s.counters.covisit.Add(s.trail, step); err != nil {
		s.config.Log.Error("event not counted as co-visit", "seq", e.Seq, "error", err)
	}
}

// trailWindow is how many steps of a user's past an event is paired with.
const trailWindow = 10

// trailBefore appends the user's last steps before an event, oldest first.
func (s *Shop) trailBefore(e *record.Stored, dst []covisit.Step) []covisit.Step {
	p := s.profileBefore(e.UserNumber, e.Seq)
	p.mu.Lock()
	defer p.mu.Unlock()
	end := len(p.touches)
	for end > 0 && p.touches[end-1].seq >= e.Seq {
		end--
	}
	begin := end
	for steps := 0; begin > 0 && steps < trailWindow; begin-- {
		if p.touches[begin-1].weight > 0 {
			steps++
		}
	}
	for _, t := range p.touches[begin:end] {
		if t.weight <= 0 {
			continue
		}
		step := covisit.Step{Item: t.item, Weight: s.strength.of(t.weight), Time: t.at}
		if !visitGoesOn(dst, step, t.kind) {
			dst = append(dst, step)
		}
	}
	return dst
}

// visitGoesOn reports whether a step is one more act of the visit that the trail ends with,
// which then counts as its strongest. A purchase is always a step of its own.
func visitGoesOn(trail []covisit.Step, step covisit.Step, kind ranker.Kind) bool {
	n := len(trail)
	if n == 0 || trail[n-1].Item != step.Item || kind == ranker.Purchased {
		return false
	}
	trail[n-1].Weight = max(trail[n-1].Weight, step.Weight)
	return true
}
