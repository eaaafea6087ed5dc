package history

import "time"

// clean marks the duplicates among a user's acts, which are in order, and reports whether the user is a
// robot.
type cleaner struct {
	gap    int64 // microseconds; below 0: none
	rates  []rate
	ids    map[uint64]struct{}
	recent map[repeat]int64 // when an act of that kind was last kept
}

// rate is the most acts within a span.
type rate struct {
	span int64 // microseconds
	most int   // below 0: no bound
}

type repeat struct {
	item uint32
	kind uint8
}

func newCleaner(o Options) *cleaner {
	return &cleaner{gap: o.DuplicateGap.Microseconds(), ids: map[uint64]struct{}{}, recent: map[repeat]int64{},
		rates: []rate{{time.Minute.Microseconds(), o.PerMinute}, {time.Hour.Microseconds(), o.PerHour}, {24 * time.Hour.Microseconds(), o.PerDay}}}
}

// clean works on one user's acts, in order. What is left out is marked and counted; the result
// is false if the user is a robot, whose acts are counted as such.
func (c *cleaner) clean(acts []kept, r *Report) bool {
	c.markIDs(acts, r)
	if c.robot(acts) {
		r.Robots++
		for _, a := range acts {
			if !a.duplicate {
				r.RobotActs++
			}
		}
		return false
	}
	c.markRepeats(acts, r)
	return true
}

// markIDs marks acts whose id an earlier one has.
func (c *cleaner) markIDs(acts []kept, r *Report) {
	clear(c.ids)
	for i := range acts {
		if acts[i].id == 0 {
			continue
		}
		if _, twice := c.ids[acts[i].id]; twice {
			acts[i].duplicate = true
			r.DuplicateIDs++
		}
		c.ids[acts[i].id] = struct{}{}
	}
}

// robot reports whether more acts than a person does lie within one of the spans: acts
// at t and t+span are within it no longer.
func (c *cleaner) robot(acts []kept) bool {
	for _, rate := range c.rates {
		if rate.most < 0 {
			continue
		}
		first, within := 0, 0
		for i := range acts {
			if !acts[i].timed || acts[i].duplicate {
				continue
			}
			within++
			for acts[i].order-acts[first].order >= rate.span || !acts[first].timed || acts[first].duplicate {
				if acts[first].timed && !acts[first].duplicate {
					within--
				}
				first++
			}
			if within > rate.most {
				return true
			}
		}
	}
	return false
}

// markRepeats marks acts that are the last kept one of their kind again.
func (c *cleaner) markRepeats(acts []kept, r *Report) {
	if c.gap < 0 {
		return
	}
	clear(c.recent)
	for i := range acts {
		a := &acts[i]
		if !a.timed || a.duplicate {
			continue
		}
		kind := repeat{a.item, a.kind}
		if last, ok := c.recent[kind]; ok && a.order-last < c.gap {
			a.duplicate = true
			r.DuplicateActs++
			continue
		}
		c.recent[kind] = a.order
	}
}
