// Package badgerlog reads the log of a Badger memtable (a .mem file) without Badger, tells
// a log that ends in the middle of a write from one that was damaged, and saves what can
// be read of a damaged one.
//
// # The problem
//
// Badger replays the log of a memtable up to the first row whose checksum is wrong, takes
// that for the end of a write that a crash cut short, and cuts the file off there. A bit
// that flips in the middle is the same to it: all rows behind are gone without a word.
//
// # The file
//
// 20 bytes (an id of a key, 0 where nothing is encrypted, and a start value), then rows:
// meta, user meta, and as varints the lengths of key and value and the time of expiry;
// key, value, CRC-32C of all this. A key ends with its version, inverted. The rows of a
// transaction have one version and the bit Transaction; a row with the bit End closes it.
// Behind the last row the file is zeros, as it was made.
//
// # Torn or damaged
//
// The file is only ever appended to. Where a process is killed, the file is a beginning of
// what was written, with zeros behind. Where the power fails, any page that was not synced
// may be missing: it is zeros, or a beginning of itself and zeros up to its end. So a
// place that cannot be read is torn if zeros lead up to the next border of a sector
// within it, or if it is an unfinished row with nothing but zeros behind. Everything else
// is damage ([Log.Damaged]). A sector that a disk returns as zeros looks torn: the caller
// has to know from elsewhere up to which version the file was synced, and compare
// [Log.Last].
package badgerlog

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// HeaderLen is how many bytes lie before the first row.
const HeaderLen = 20

// Bits of a row's meta.
const (
	Transaction byte = 1 << 6
	End         byte = 1 << 7
)

// Bounds of a row: Badger's of a key, and of values that lie beside their keys.
const (
	maxKey   = 1 << 16
	maxValue = 1 << 20
	sector   = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Log is what a file holds.
type Log struct {
	// Cut is where Badger cuts the file: behind the last transaction before which
	// everything can be read. First and Last are the versions of the first and the last
	// transaction up to there, 0 if there is none.
	Cut         int
	First, Last uint64
	// Gap is where the first bytes lie that cannot be read, and GapLen how many they are;
	// GapLen is 0 if there are none.
	Gap, GapLen int
	// Behind is how many rows can be read behind the gap, ends of transactions not counted, and
	// Least the least version there; 0 if there is nothing.
	Behind int
	Least  uint64
	// Damaged reports that the gap is not what a crash leaves.
	Damaged bool
}

// Read reads a file of which b is the content.
func Read(b []byte) Log {
	if len(b) < HeaderLen || binary.BigEndian.Uint64(b) != 0 {
		return readHeadless(b)
	}
	var l Log
	var stop int
	l.Cut, l.Last, stop = whole(b)
	if r, ok := parse(b, HeaderLen); ok && l.Last > 0 {
		l.First = r.version
	}
	end := written(b)
	if stop >= end {
		return l
	}
	l.Gap, l.GapLen = stop, end-stop
	next := seek(b, stop+1, end)
	if next < 0 {
		l.Damaged = complete(b, stop, end) && !torn(b, stop, end)
		return l
	}
	l.GapLen = next - stop
	l.Damaged = !torn(b, stop, next)
	l.Behind, l.Least = count(b, next, end)
	return l
}

// readHeadless reads a file whose first bytes are damaged: that they are encrypted is not
// possible, this store does not encrypt.
func readHeadless(b []byte) Log {
	end := written(b)
	l := Log{Damaged: end > 0, GapLen: min(HeaderLen, end)}
	if next := seek(b, min(HeaderLen, len(b)), end); next >= 0 {
		l.GapLen = next
		l.Behind, l.Least = count(b, next, end)
	}
	return l
}

// count counts the rows from a place on, ends of transactions apart, and finds the least version.
func count(b []byte, at, end int) (rows int, least uint64) {
	least = math.MaxUint64
	each(b, at, end, func(r row) {
		if r.meta&End == 0 {
			rows++
		}
		least = min(least, r.version)
	})
	return rows, least
}

// Save returns the content of a file that Badger reads whole, with every row that can be
// read: up to Cut as it is; the rows behind it each by itself, for their transaction may
// lack some. rows is how many lie behind Cut. Rows of an unfinished transaction at the end
// are left out if their version is after synced, as they were never acknowledged.
func Save(b []byte, synced uint64) (saved []byte, rows int) {
	cut, _, _ := whole(b)
	if len(b) < HeaderLen || binary.BigEndian.Uint64(b) != 0 {
		cut = HeaderLen
		saved = make([]byte, HeaderLen)
	} else {
		saved = bytes.Clone(b[:cut])
	}
	var open []byte // of a transaction that has no end yet
	var version uint64
	held := 0
	end := written(b)
	each(b, cut, end, func(r row) {
		if r.version != version {
			saved, rows, open, held = append(saved, open...), rows+held, nil, 0
			version = r.version
		}
		if r.meta&End == 0 {
			open = appendLoose(open, b[r.at:r.at+r.size])
			held++
			return
		}
		saved, rows, open, held = append(saved, open...), rows+held, nil, 0
	})
	if version <= synced {
		saved, rows = append(saved, open...), rows+held
	}
	return append(saved, make([]byte, 64)...), rows
}

// appendLoose appends a row as one of no transaction.
func appendLoose(to, raw []byte) []byte {
	from := len(to)
	to = append(to, raw[:len(raw)-crc32.Size]...)
	to[from] &^= Transaction
	return binary.BigEndian.AppendUint32(to, crc32.Checksum(to[from:], castagnoli))
}

// row is one whose checksum is right.
type row struct {
	at, size int // with its checksum
	meta     byte
	version  uint64
	value    []byte
}

// parse reads the row at a place.
func parse(b []byte, at int) (r row, ok bool) {
	head, klen, vlen, ok := header(b, at)
	if !ok || head+klen+vlen+crc32.Size > len(b) {
		return r, false
	}
	key := b[head : head+klen]
	version := math.MaxUint64 - binary.BigEndian.Uint64(key[klen-8:])
	end := head + klen + vlen
	// Versions count transactions: the first bits are never set. So a place where no row
	// begins is known before its bytes are summed.
	if version >= 1<<48 || crc32.Checksum(b[at:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return r, false
	}
	return row{at, end + crc32.Size - at, b[at], version, b[head+klen : end]}, true
}

// header reads the header of a row and returns where its key begins.
func header(b []byte, at int) (key, klen, vlen int, ok bool) {
	if at+2 > len(b) {
		return 0, 0, 0, false
	}
	key = at + 2
	var fields [3]uint64
	for i := range fields {
		v, n := binary.Uvarint(b[key:min(key+10, len(b))])
		if n <= 0 {
			return 0, 0, 0, false
		}
		fields[i] = v
		key += n
	}
	if fields[0] <= 8 || fields[0] > maxKey || fields[1] > maxValue {
		return 0, 0, 0, false
	}
	return key, int(fields[0]), int(fields[1]), true
}

// whole follows Badger: it returns the end of the last transaction before which all rows
// are right, its version, and where the first bytes lie that are no row.
func whole(b []byte) (cut int, last uint64, stop int) {
	cut, stop = HeaderLen, HeaderLen
	var version uint64 // of the open transaction; 0: none is open
	for {
		r, ok := parse(b, stop)
		if !ok {
			return cut, last, stop
		}
		switch {
		case r.meta&Transaction != 0:
			if version != 0 && version != r.version {
				return cut, last, stop
			}
			version = r.version
			stop += r.size
			continue
		case r.meta&End != 0:
			if version != r.version {
				return cut, last, stop
			}
			version = 0
		case version != 0:
			return cut, last, stop
		}
		stop += r.size
		cut, last = stop, max(last, r.version)
	}
}

// each calls fn for every row from a place on, whatever lies between them.
func each(b []byte, at, end int, fn func(row)) {
	for {
		r, ok := parse(b, at)
		if !ok {
			if at = seek(b, at+1, end); at < 0 {
				return
			}
			continue
		}
		fn(r)
		at += r.size
	}
}

// seek finds the next row; -1: there is none.
func seek(b []byte, at, end int) int {
	for ; at < end; at++ {
		if _, ok := parse(b, at); ok {
			return at
		}
	}
	return -1
}

// written is how many bytes there are up to the last that is not zero.
func written(b []byte) int {
	var zeros [4096]byte
	for len(b) >= len(zeros) && bytes.Equal(b[len(b)-len(zeros):], zeros[:]) {
		b = b[:len(b)-len(zeros)]
	}
	return len(bytes.TrimRight(b, "\x00"))
}

// complete reports whether what begins at a place was written as far as its header says.
func complete(b []byte, at, end int) bool {
	head, klen, vlen, ok := header(b, at)
	return ok && head+klen+vlen+crc32.Size <= end
}

// torn reports whether a place that cannot be read has zeros up to a border of a sector
// within it: a run of 16, which rows do not have.
func torn(b []byte, from, to int) bool {
	var zeros [16]byte
	for border := from/sector*sector + sector; border <= to; border += sector {
		if border-from >= len(zeros) && bytes.Equal(b[border-len(zeros):border], zeros[:]) {
			return true
		}
	}
	return false
}
