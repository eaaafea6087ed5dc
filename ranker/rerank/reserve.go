package rerank

import "math"

// A reserve is a rule that keeps a share of the list, and how far it has come.
type reserve struct {
	rule  int
	share float64
	have  int // slots it has
	last  Why // why it did not get the last slot it was due
	lane  lane
}

// due is how many of the first k slots the rule wants.
func (r *reserve) due(k int) int { return int(math.Floor(r.share*float64(k) + 1e-9)) }

// openReserves lists the rules that reserve and hold.
func (e *Engine) openReserves() {
	e.shares = e.shares[:0]
	for i := range e.in.Policy.Rules {
		r := &e.in.Policy.Rules[i]
		if r.Action != Reserve || !r.Holds(e.in.Now) || !e.has(Reserves) {
			continue
		}
		if len(e.shares) < cap(e.shares) {
			e.shares = e.shares[:len(e.shares)+1] // its lane has memory
		} else {
			e.shares = append(e.shares, reserve{})
		}
		s := &e.shares[len(e.shares)-1]
		s.rule, s.share, s.have, s.last = i, r.Share, 0, 0
		s.lane.at = s.lane.at[:0]
	}
}

// foresight is how many slots ahead the claims of several rules are added up.
const foresight = MaxRules

// reserved fills a slot that rules need now to keep their shares, now or later; false: none
// does, or none has an item for it.
func (e *Engine) reserved(slot int) bool {
	if len(e.shares) == 0 {
		return false
	}
	horizon := e.tight(slot)
	if horizon == 0 {
		return false
	}
	for soon := slot; soon <= horizon; soon++ { // the earliest claim first
		for i := range e.shares {
			s := &e.shares[i]
			if s.claim(e, slot, soon) <= 0 || soon > slot && s.claim(e, slot, soon-1) > 0 {
				continue
			}
			if !e.choose(&s.lane, slot, &e.ranks) {
				s.last = e.shortOf(s)
				continue
			}
			at := e.ranks.draw(e.rng)
			e.place(at, slot, Reserved, s.rule, e.ranks.chance(at))
			return true
		}
	}
	return false
}

// tight is the first slot k by which the rules want as many slots as are left up to it, so
// that this one must go to one of them; 0: none is near.
func (e *Engine) tight(slot int) int {
	room := 0
	for k := slot; k <= min(e.in.Limit, slot+foresight); k++ {
		if e.hold.at(k) < 0 {
			room++
		}
		wanted := 0
		for i := range e.shares {
			wanted += max(0, e.shares[i].claim(e, slot, k))
		}
		if wanted > 0 && wanted >= room {
			return k
		}
	}
	return 0
}

// claim is how many of the slots from slot to k the rule needs, beside the pins there.
func (r *reserve) claim(e *Engine, slot, k int) int {
	if r.last == ReserveShort {
		return 0 // it never gets another
	}
	claim := r.due(k) - r.have
	if claim <= 0 || !e.hold.any {
		return claim
	}
	for s := slot; s <= min(k, farSlot); s++ {
		if at := e.hold.slots[s]; at >= 0 && e.ranked[at].rules&(1<<r.rule) != 0 {
			claim--
		}
	}
	return claim
}

// shortOf says why a rule has no item for a slot.
func (e *Engine) shortOf(r *reserve) Why {
	for _, at := range r.lane.at {
		if e.ranked[at].state == parked {
			return ReserveCapped
		}
	}
	return ReserveShort
}

// account notes the rules that have less than their share after a slot.
func (e *Engine) account(slot int) {
	for i := range e.shares {
		s := &e.shares[i]
		if s.have >= s.due(slot) {
			s.last = 0
			continue
		}
		why := s.last
		if why == 0 {
			why = ReserveBehind
		}
		e.conflict(why, s.rule, -1, slot)
	}
}
