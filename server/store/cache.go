package store

// cache keeps the most recently used entries of a mapping, between its bound and
// twice that. When the young half is full it becomes the old half and the old
// one is dropped; a hit in the old half moves to the young one. It costs one map
// operation where a linked list costs several. Not synchronised.
type cache[K comparable, V any] struct {
	young, old map[K]V
	bound      int
}

func newCache[K comparable, V any](bound int) *cache[K, V] {
	return &cache[K, V]{young: make(map[K]V), bound: bound}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	v, ok := c.young[k]
	if ok {
		return v, true
	}
	if v, ok = c.old[k]; ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.young) >= c.bound {
		c.young, c.old = make(map[K]V, c.bound), c.young
	}
	c.young[k] = v
}

func (c *cache[K, V]) remove(k K) {
	delete(c.young, k)
	delete(c.old, k)
}
