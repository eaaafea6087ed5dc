package rerank

// farSlot is the last slot that a pin can come to.
const farSlot = MaxSlot + MaxRules

// pins are the candidates that rules hold for slots.
type pins struct {
	any   bool
	slots [farSlot + 1]int32 // candidate held for a slot, in Engine.ranked; -1: none
	rules [farSlot + 1]int16
}

func (p *pins) reset() {
	p.any = false
	for i := range p.slots {
		p.slots[i] = -1
	}
}

// at is the candidate held for a slot, -1 for none.
func (p *pins) at(slot int) int32 {
	if !p.any || slot > farSlot {
		return -1
	}
	return p.slots[slot]
}

func (p *pins) rule(slot int) int { return int(p.rules[slot]) }

// pin holds candidates for the rules that pin, in their order.
func (e *Engine) pin() {
	e.hold.any = false
	if !e.has(Pins) {
		return
	}
	for i := range e.in.Policy.Rules {
		r := &e.in.Policy.Rules[i]
		if r.Action != Pin || !r.Holds(e.in.Now) {
			continue
		}
		if !e.hold.any {
			e.hold.reset()
			e.hold.any = true
		}
		e.holdFor(i, r)
	}
}

func (e *Engine) holdFor(i int, r *Rule) {
	slot := r.Slot
	for slot <= min(e.in.Limit, farSlot) && e.hold.slots[slot] >= 0 {
		slot++
	}
	if slot > min(e.in.Limit, farSlot) {
		e.conflict(PinBeyond, i, -1, r.Slot)
		return
	}
	at, why := e.pinnable(i, r)
	if at < 0 {
		e.conflict(why, i, -1, r.Slot)
		return
	}
	if slot != r.Slot {
		e.conflict(PinMoved, i, -1, slot)
	}
	c := &e.ranked[at]
	c.state = held
	if c.group >= 0 {
		e.groups.owner[c.group] = at
	}
	e.caps.count(e, c, slot, 1)
	e.hold.slots[slot], e.hold.rules[slot] = at, int16(i)
}

// pinnable is the first candidate that a pin may have, or why there is none.
func (e *Engine) pinnable(i int, r *Rule) (int32, Why) {
	why := PinMissing
	for at := range e.ranked {
		c := &e.ranked[at]
		if c.rules&(1<<i) == 0 {
			continue
		}
		e.know(int32(at))
		switch {
		case c.state == held:
			why = PinTaken
		case c.group >= 0 && e.groups.owner[c.group] >= 0:
			why = PinVariant
		default:
			return int32(at), 0
		}
	}
	if why == PinMissing && r.HasItem {
		for k := range e.in.Candidates {
			if e.in.Candidates[k].Item == r.Item && e.fates[k] < 0 {
				why = PinExcluded
			}
		}
	}
	return -1, why
}

// pullPin fills a slot that nothing else is left for with the next pin.
func (e *Engine) pullPin(slot int) bool {
	for later := slot + 1; e.hold.any && later <= farSlot; later++ {
		at := e.hold.slots[later]
		if at < 0 {
			continue
		}
		e.hold.slots[later] = -1
		e.caps.count(e, &e.ranked[at], later, -1)
		e.caps.count(e, &e.ranked[at], slot, 1)
		e.conflict(PinBeyond, e.hold.rule(later), -1, slot)
		e.place(at, slot, Pinned, e.hold.rule(later), 1)
		return true
	}
	return false
}
