package badgerlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// room is how long the file of a test is.
const room = 64 << 10

func appendRow(b []byte, meta byte, key string, value []byte, version uint64) []byte {
	from := len(b)
	b = append(b, meta, 0)
	b = binary.AppendUvarint(b, uint64(len(key)+8))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = binary.AppendUvarint(b, 0)
	b = binary.BigEndian.AppendUint64(append(b, key...), math.MaxUint64-version)
	b = append(b, value...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// logOf makes a log of as many transactions, of 1 to 5 rows each, and where each ends.
func logOf(r *rand.Rand, transactions int) (b []byte, ends []int) {
	b = make([]byte, HeaderLen, room)
	for t := range transactions {
		version := uint64(t + 10)
		for n := range 1 + r.IntN(5) {
			value := make([]byte, 1+r.IntN(200))
			for i := range value {
				value[i] = byte(r.Uint32())
			}
			b = appendRow(b, Transaction, fmt.Sprint("key", n), value, version)
		}
		b = appendRow(b, End, "!badger!txn", []byte(strconv.FormatUint(version, 10)), version)
		ends = append(ends, len(b))
	}
	return b[:room], ends
}

func TestAWholeLogIsReadToItsEnd(t *testing.T) {
	b, ends := logOf(rand.New(rand.NewPCG(1, 1)), 40)
	if l := Read(b); l.Cut != ends[39] || l.First != 10 || l.Last != 49 || l.GapLen != 0 || l.Damaged {
		t.Errorf("%+v", l)
	}
	if saved, rows := Save(b, 49); rows != 0 || !bytes.HasPrefix(b, saved[:ends[39]]) {
		t.Errorf("%d rows lie behind the end of a whole log", rows)
	}
}

// TestWhatAKillLeavesIsNoDamage ends the writing after each byte.
func TestWhatAKillLeavesIsNoDamage(t *testing.T) {
	b, ends := logOf(rand.New(rand.NewPCG(2, 1)), 10)
	for at := HeaderLen; at < ends[9]; at++ {
		short := bytes.Clone(b)
		clear(short[at:])
		whole := 0
		for _, end := range ends {
			if at >= end {
				whole = end
			}
		}
		if l := Read(short); l.Damaged || l.Cut < whole {
			t.Fatalf("written up to %d, transactions end at %v: %+v", at, ends, l)
		}
	}
}

// TestWhatAPowerCutLeavesIsNoDamage loses any page, or its last sectors, of what was not synced, and none of what
// was written later.
func TestWhatAPowerCutLeavesIsNoDamage(t *testing.T) {
	const page = 4096
	b, ends := logOf(rand.New(rand.NewPCG(3, 1)), 120)
	for lost := page; lost+page < ends[119]; lost += page {
		for keep := 0; keep < page-32; keep += 331 { // what was synced of the page before
			holed := bytes.Clone(b)
			clear(holed[lost+keep : lost+page])
			if l := Read(holed); l.Damaged || l.Behind == 0 {
				t.Fatalf("page at %d lost from %d on: %+v", lost, keep, l)
			}
		}
	}
}

// TestAFlippedBitIsDamageAndTheRestIsSaved flips each bit of the first transactions.
func TestAFlippedBitIsDamageAndTheRestIsSaved(t *testing.T) {
	b, ends := logOf(rand.New(rand.NewPCG(4, 1)), 4)
	all := 0
	each(b, HeaderLen, ends[3], func(r row) {
		if r.meta&End == 0 {
			all++
		}
	})
	for bit := range ends[2] * 8 {
		if 8 <= bit/8 && bit/8 < HeaderLen {
			continue // a start value for what is encrypted
		}
		hurt := bytes.Clone(b)
		hurt[bit/8] ^= 1 << (bit % 8)
		l := Read(hurt)
		if !l.Damaged || l.Gap > bit/8 || l.Gap+l.GapLen <= bit/8 {
			t.Fatalf("bit %d, transactions end at %v: %+v", bit, ends, l)
		}
		saved, _ := Save(hurt, 13)
		mended := Read(saved)
		rows := 0
		each(saved, HeaderLen, len(saved), func(r row) {
			if r.meta&End == 0 {
				rows++
			}
		})
		if mended.GapLen != 0 || rows < all-1 || bit/8 < 8 && rows != all {
			t.Fatalf("bit %d: %d rows of %d saved, read as %+v", bit, rows, all, mended)
		}
	}
}

// TestRowsThatWereNeverAcknowledgedAreNotSaved has an unfinished transaction at the end.
func TestRowsThatWereNeverAcknowledgedAreNotSaved(t *testing.T) {
	b, ends := logOf(rand.New(rand.NewPCG(5, 1)), 3)
	b = appendRow(b[:ends[2]], Transaction, "half", []byte("value"), 13)[:room]
	b[ends[0]-1] ^= 1 // so that all is behind
	for synced, want := range map[uint64]bool{12: false, 13: true} {
		saved, _ := Save(b, synced)
		if got := bytes.Contains(saved, []byte("half")); got != want {
			t.Errorf("synced up to %d: saved %v", synced, got)
		}
	}
}

// FuzzRead reads anything, and what it saves is whole.
func FuzzRead(f *testing.F) {
	b, ends := logOf(rand.New(rand.NewPCG(6, 1)), 3)
	f.Add(b[:ends[2]+30])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := Read(b)
		if l.Cut > len(b) || l.Gap+l.GapLen > len(b) {
			t.Fatalf("%+v of %d bytes", l, len(b))
		}
		saved, _ := Save(b, math.MaxUint64)
		if again := Read(saved); again.GapLen != 0 {
			t.Fatalf("saved: %+v", again)
		}
	})
}
