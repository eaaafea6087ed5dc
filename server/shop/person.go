package shop

import (
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour"
	"github.com/kindred-rec/kindred/ranker"
)

// person is what a request knows of its subject: a copy, so that no lock is held
// while it is ranked.
type person struct {
	number    uint64
	touches   []touch // oldest first
	history   []ranker.Touch
	hidden    []uint32  // asked not to see again
	disliked  []uint32  // acted against
	vector    []float32 // of unit length; empty: nothing to say
	seq       uint64
	anonymous bool
	optOut    bool
	// unread: the profile could not be read, and the reply must not pretend that
	// nothing is known.
	unread bool

	buffer []float32
	input  []behaviour.Touch
}

// reset makes p ready for another request, keeping its memory.
func (p *person) reset() {
	*p = person{
		touches: p.touches[:0], history: p.history[:0], hidden: p.hidden[:0], disliked: p.disliked[:0],
		buffer: p.buffer, input: p.input[:0],
	}
}

// mean makes user vectors until a learned encoder does.
var mean = behaviour.DefaultMean()

// know fills p with what is known of a subject. asOf, if set, leaves out later
// events and reads from the store.
func (s *Shop) know(p *person, subject Subject, g *generation, asOf time.Time) {
	p.reset()
	p.anonymous = subject.User == ""
	user, known := s.log.UserNumber(subject.User, subject.Session)
	if subject.User != "" && subject.Session != "" {
		if !known {
			user, known = s.log.UserNumber("", subject.Session)
		} else if other, ok := s.log.UserNumber("", subject.Session); ok && other != user {
			s.add(p, other, g, asOf)
		}
	}
	if subject.Anonymous() || !known {
		return
	}
	p.number = user
	alone := len(p.touches) == 0 && !p.unread
	cached := s.add(p, user, g, asOf)
	if !alone {
		slices.SortStableFunc(p.touches, func(a, b touch) int { return int(a.at - b.at) })
	}
	s.convert(p)
	if alone && cached != nil && s.cachedVector(p, cached, g) {
		return
	}
	s.makeVector(p, g)
	if alone && cached != nil {
		cached.keepVector(p, g)
	}
}

// add appends the touches of one number; it returns the profile in memory that
// they came from, nil if they came from the store.
func (s *Shop) add(p *person, number uint64, _ *generation, asOf time.Time) *profile {
	if !asOf.IsZero() {
		touches, optOut, err := s.readProfile(number, 0, asOf)
		p.unread = p.unread || err != nil
		p.optOut = p.optOut || optOut
		p.touches = append(p.touches, touches...)
		return nil
	}
	cached := s.profiles.get(number)
	if err := s.load(cached, 0); err != nil {
		s.config.Log.Error("profile not read; answered from a lower tier", "error", err)
		p.unread = true
		return nil
	}
	cached.mu.Lock()
	defer cached.mu.Unlock()
	p.touches = append(p.touches, cached.touches...)
	p.optOut = p.optOut || cached.optOut
	p.seq = max(p.seq, cached.seq)
	return cached
}

// convert gives the ranker what it needs of the touches.
func (s *Shop) convert(p *person) {
	for i := range p.touches {
		t := &p.touches[i]
		switch {
		case t.hidden:
			p.hidden = append(p.hidden, t.item)
		case t.weight > 0:
			at := t.at
			if t.synthetic {
				at = 0
			}
			p.history = append(p.history, ranker.Touch{Item: t.item, Weight: s.strength.of(t.weight), Time: at, Kind: t.kind})
		default:
			p.disliked = append(p.disliked, t.item)
		}
	}
}

// cachedVector takes the vector that was made for the same events.
func (s *Shop) cachedVector(p *person, cached *profile, g *generation) bool {
	cached.mu.Lock()
	defer cached.mu.Unlock()
	if cached.vectorGen != g || cached.vectorSeq != p.seq || cached.vectorChanges != g.changes.Load() {
		return false
	}
	p.vector = append(p.buffer[:0], cached.vector...)
	p.buffer = p.vector
	return true
}

func (p *profile) keepVector(from *person, g *generation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vector = append(p.vector[:0], from.vector...)
	p.vectorGen, p.vectorSeq, p.vectorChanges = g, from.seq, g.changes.Load()
}

// vectorTouches is how many of the last touches the vector is made from.
const vectorTouches = 50

// makeVector encodes the last touches. Nothing to say leaves it empty.
func (s *Shop) makeVector(p *person, g *generation) {
	last := p.touches[max(0, len(p.touches)-vectorTouches):]
	var newest int64
	for i := range last {
		newest = max(newest, last[i].at)
	}
	for i := range last {
		t := &last[i]
		age := time.Duration(newest-t.at) * time.Microsecond
		if t.synthetic {
			age = -1
		}
		p.input = append(p.input, behaviour.Touch{Vector: g.vectors.Vector(t.item), Weight: t.weight, Age: age})
	}
	if cap(p.buffer) < s.dim {
		p.buffer = make([]float32, s.dim)
	}
	p.buffer = p.buffer[:s.dim]
	ok, err := mean.Encode(p.buffer, p.input)
	if err != nil {
		s.config.Log.Error("user vector not made", "error", err)
	}
	p.vector = nil
	if ok && err == nil {
		p.vector = p.buffer
	}
}
