package catalog

// Brief is what is asked of nearly every candidate, in a word that is read without its
// row: a request asks hundreds, and each row is a miss of the cache.
type Brief uint64

// Plain reports whether the item may be shown at any time: it is in the catalog, not
// hidden, in stock, and has no dates. Ask [Row.Servable] of one that is not.
func (b Brief) Plain() bool { return b&1 != 0 }

// Created is [Row.Created], 0 for no row.
func (b Brief) Created() int64 { return int64(b) >> 1 }

// briefOf shortens a row; nil is the zero Brief. Times lose their top bit, which no
// year before 140,000 needs.
func briefOf(row *Row) Brief {
	if row == nil {
		return 0
	}
	b := Brief(row.Created << 1)
	if !row.Hidden && row.Stock != 0 && row.AvailableFrom == 0 && row.AvailableUntil == 0 {
		b |= 1
	}
	return b
}

// Brief returns the brief of the item at number, as of the last change.
func (t *Table) Brief(number uint32) Brief {
	i := number / chunkSize
	if int(i) >= len(t.chunks) {
		return 0
	}
	c := t.chunks[i].Load()
	if c == nil {
		return 0
	}
	return Brief(c.briefs[number%chunkSize].Load())
}
