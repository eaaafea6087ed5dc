package shop

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour"
	"github.com/kindred-rec/kindred/ranker"
)

// person is what a request knows of its subject: a copy, so that no lock is held
// while it is ranked.
type person struct {
	number    uint64
	touches   []touch // oldest first
	showings  []showing
	history   []ranker.Touch
	passed    []ranker.Showing // shown and not acted on since, oldest first
	hidden    []uint32         // asked not to see again
	disliked  []uint32         // acted against
	taste     *taste           // nil: nothing is known
	seq       uint64
	anonymous bool
	merged    bool // of a user and a session: touches are in order of time, not of the log
	optOut    bool
	// unread: the profile could not be read, and the reply must not pretend that
	// nothing is known.
	unread bool

	input []behaviour.Touch
	acts  []Act
}

// vector is the user's, of unit length; nil if there is nothing to say.
func (p *person) vector() []float32 {
	if p.taste == nil {
		return nil
	}
	return p.taste.vector
}

// reset makes p ready for another request, keeping its memory.
func (p *person) reset() {
	*p = person{
		touches: p.touches[:0], showings: p.showings[:0], history: p.history[:0], passed: p.passed[:0], hidden: p.hidden[:0], disliked: p.disliked[:0],
		input: p.input[:0], acts: p.acts[:0],
	}
}

// mean makes user vectors where no trained model does.
var mean = behaviour.DefaultMean()

// know fills p with what is known of a subject. asOf, if set, leaves out later
// events and reads from the store.
func (s *Shop) know(p *person, subject Subject, g *generation, asOf time.Time) {
	p.reset()
	p.anonymous = subject.User == ""
	user, known := s.userNumber(subject.User, subject.Session)
	if subject.User != "" && subject.Session != "" {
		if !known {
			user, known = s.userNumber("", subject.Session)
		} else if other, ok := s.userNumber("", subject.Session); ok && other != user {
			s.add(p, other, asOf)
		}
	}
	if subject.Anonymous() || !known {
		p.unread = p.unread || !subject.Anonymous() && s.log.Unreadable()
		return
	}
	p.number = user
	alone := len(p.touches) == 0 && !p.unread
	cached := s.add(p, user, asOf)
	if p.merged = !alone; p.merged {
		slices.SortStableFunc(p.touches, func(a, b touch) int { return int(a.at - b.at) })
		slices.SortStableFunc(p.showings, func(a, b showing) int { return int(a.at - b.at) })
	}
	s.convert(p)
	changes := g.users().changes.Load() // before the vectors are read: what changes later makes the taste old
	if !alone || cached == nil {
		p.taste = s.makeTaste(p, g, changes)
		return
	}
	cached.mu.Lock()
	p.taste = cached.taste
	cached.mu.Unlock()
	if p.taste.current(g, p.seq, changes) {
		return
	}
	p.taste = s.makeTaste(p, g, changes)
	cached.mu.Lock()
	cached.taste = p.taste
	cached.weigh()
	cached.mu.Unlock()
}

// add appends the touches of one number; it returns the profile in memory that
// they came from, nil if they came from the store.
func (s *Shop) add(p *person, number uint64, asOf time.Time) *profile {
	if !asOf.IsZero() {
		past, err := s.readPast(number, 0, asOf)
		p.unread = p.unread || err != nil
		p.optOut = p.optOut || past.optOut
		p.touches = append(p.touches, past.touches...)
		p.showings = append(p.showings, past.showings...)
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
	p.showings = append(p.showings, cached.showings...)
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
	p.findPassed(s.config.HistoryEvents)
}

// findPassed keeps the impressions that no act on the item followed. Where there are more
// touches than are kept, those before the first of them are left out: what followed them is
// not all known.
func (p *person) findPassed(limit int) {
	var acted touched
	for i := range p.touches {
		acted.add(p.touches[i].item)
	}
	for _, x := range p.showings {
		if len(p.touches) >= limit && x.seq < p.touches[0].seq || acted.may(x.item) && p.actedAfter(x) {
			continue
		}
		p.passed = append(p.passed, ranker.Showing{Item: x.item, Time: x.at})
	}
}

// touched is a set of items that may say yes of one that is not in it: with some hundred
// acts, of one in ten. Most impressions are of items that the user never acted on.
type touched [64]uint64

func (s *touched) add(item uint32)      { s[item/64%64] |= 1 << (item % 64) }
func (s *touched) may(item uint32) bool { return s[item/64%64]&(1<<(item%64)) != 0 }

// actedAfter looks back from the last touch; most impressions are newer than most touches.
func (p *person) actedAfter(x showing) bool {
	for i := len(p.touches) - 1; i >= 0; i-- {
		after := p.touches[i].seq > x.seq
		if after && p.touches[i].item == x.item {
			return true
		}
		if !after && !p.merged {
			return false
		}
	}
	return false
}

// taste is what is made of a profile's events: a vector, and what lies nearest to it.
// It is immutable, so that a profile keeps it from one request to the next.
type taste struct {
	gen     int64  // number of the generation; a pointer would keep an old one in memory
	seq     uint64 // of the last event that it reflects
	changes uint64 // of vectors, before it was made
	vector  []float32
	near    atomic.Pointer[[]ranker.Scored]
	ranked  atomic.Pointer[ranking] // for the last request
}

// current reports whether t is what would be made now. It may be nil.
func (t *taste) current(g *generation, seq, changes uint64) bool {
	return t != nil && t.gen == g.number && t.seq == seq && t.changes == changes
}

// nearest returns the items of g, of which t is, nearest to the vector: searched for
// once.
func (t *taste) nearest(g *generation) []ranker.Scored {
	if near := t.near.Load(); near != nil {
		return *near
	}
	near := g.pipeline.Nearest(t.vector)
	t.near.Store(&near)
	return near
}

// vectorTouches is how many of the last touches the vector is made from where no trained
// model says.
const vectorTouches = 50

// makeTaste encodes the last touches.
func (s *Shop) makeTaste(p *person, g *generation, changes uint64) *taste {
	made := &taste{gen: g.number, seq: p.seq, changes: changes}
	window := vectorTouches
	if g.model != nil {
		window = g.model.behaviour.Window()
	}
	last := p.touches[max(0, len(p.touches)-window):]
	vector := make([]float32, g.users().dim())
	ok := false
	if g.model != nil {
		ok = p.encode(vector, last, g)
	} else {
		ok = s.average(p, vector, last, g)
	}
	if ok {
		made.vector = vector
	}
	return made
}

// encode has the trained model make the vector.
func (p *person) encode(vector []float32, last []touch, g *generation) bool {
	p.gather(last, g)
	return g.model.behaviour.Encode(vector, p.acts)
}

// gather adds touches to the acts, as a trained model reads them.
func (p *person) gather(last []touch, g *generation) {
	for i := range last {
		t := &last[i]
		a := Act{
			Item: g.model.id(t.item), Text: g.vectors.Vector(t.item), Vector: g.model.vectors.Vector(t.item),
			Kind: t.kind, Weight: t.weight, Time: t.at,
		}
		if t.synthetic {
			a.Time = 0
		}
		p.acts = append(p.acts, a)
	}
}

// average makes the vector where no trained model does.
func (s *Shop) average(p *person, vector []float32, last []touch, g *generation) bool {
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
	ok, err := mean.Encode(vector, p.input)
	if err != nil {
		s.config.Log.Error("user vector not made", "error", err)
	}
	return ok && err == nil
}
