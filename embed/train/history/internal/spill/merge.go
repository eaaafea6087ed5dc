package spill

import (
	"bytes"
	"container/heap"
	"iter"
)

// cursor is the place in one run of a merge.
type cursor struct {
	record []byte
	next   func() ([]byte, error, bool)
}

// cursors are a heap by record.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].record, c[j].record) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// merge yields the records of sorted runs in their order, and closes what it opens.
func merge(runs []string, yield func([]byte, error) bool) {
	var open cursors
	var closers []func()
	defer func() {
		for _, c := range closers {
			c()
		}
	}()
	for _, path := range runs {
		f, err := Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		next, stop := iter.Pull2(f.Records())
		closers = append(closers, stop, func() { _ = f.Close() }) // opened for reading: nothing can be lost
		record, err, ok := next()
		if err != nil {
			yield(nil, err)
			return
		}
		if ok {
			open = append(open, &cursor{record, next})
		}
	}
	heap.Init(&open)
	for len(open) > 0 {
		top := open[0]
		if !yield(top.record, nil) {
			return
		}
		record, err, ok := top.next()
		switch {
		case err != nil:
			yield(nil, err)
			return
		case !ok:
			heap.Pop(&open)
		default:
			top.record = record
			heap.Fix(&open, 0)
		}
	}
}
