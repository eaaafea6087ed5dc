package covisit

// link adds evidence to the list of item. The caller holds g.mu.
func (g *Graph) link(item uint32, evidence Neighbour) {
	c := g.grow(item)
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.lists[item%chunkItems]
	least := -1
	for i := range list {
		if list[i].Item == evidence.Item {
			list[i].After += evidence.After
			list[i].Before += evidence.Before
			return
		}
		if least < 0 || list[i].Weight() < list[least].Weight() {
			least = i
		}
	}
	if len(list) < g.options.MaxNeighbours && g.pairs.Load() < int64(g.options.MaxPairs) {
		c.lists[item%chunkItems] = append(g.room(list), evidence)
		g.pairs.Add(1)
		return
	}
	g.evicted.Add(1)
	if least >= 0 {
		contest(&list[least], evidence)
	}
}

// room doubles a full list, up to MaxNeighbours: append alone would overshoot it.
func (g *Graph) room(list []Neighbour) []Neighbour {
	if len(list) < cap(list) {
		return list
	}
	grown := make([]Neighbour, len(list), min(max(4, 2*len(list)), g.options.MaxNeighbours))
	copy(grown, list)
	return grown
}

// contest lets a newcomer take the place of the least neighbour, or wear it down.
func contest(least *Neighbour, newcomer Neighbour) {
	held, brought := least.Weight(), newcomer.Weight()
	if brought >= held {
		*least = newcomer
		return
	}
	left := (held - brought) / held
	least.After *= left
	least.Before *= left
}
