package catalog

// A journal is a ring of the numbers that the last changes touched: change v is
// at v modulo the ring's length. The table's mutex guards it.
type journal struct {
	numbers []uint32
	version uint64 // of the last change, 0 before the first
}

func newJournal(length int) journal { return journal{numbers: make([]uint32, length)} }

// record notes one change and returns its version.
func (j *journal) record(number uint32) uint64 {
	j.version++
	j.numbers[j.version%uint64(len(j.numbers))] = number
	return j.version
}

// since appends the numbers changed after version to into, oldest first, with
// repetitions. It reports false when the ring no longer holds all of them, or
// when version is not one of this table's.
func (j *journal) since(version uint64, into []uint32) ([]uint32, bool) {
	if version > j.version || j.version-version > uint64(len(j.numbers)) {
		return into, false
	}
	for v := version + 1; v <= j.version; v++ {
		into = append(into, j.numbers[v%uint64(len(j.numbers))])
	}
	return into, true
}
