package store

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// The kind byte after the tenant's number. Letters, so that a dump reads.
const (
	// Of the store itself, under tenant 0.
	kindRemoved  byte = 'A' // + time; before all others, see dump.go
	kindMark     byte = 'B' // written to be dropped, see compact.go
	kindErasing  byte = 'E' // erased bytes wait to leave the disk
	kindSchema   byte = 'F'
	kindIdentity byte = 'I'
	kindTenant   byte = 'T' // + name
	kindAPIKey   byte = 'K' // + id

	kindHead       byte = 'H'
	kindLog        byte = 'L' // + seq
	kindDuplicate  byte = 'D' // + hash of the event id, 16 bytes
	kindHistory    byte = 'E' // + owner, ^seq: newest first
	kindUser       byte = 'U' // + raw id
	kindSession    byte = 'S' // + raw id
	kindName       byte = 'N' // + number
	kindMerged     byte = 'M' // + user, session
	kindRemoval    byte = 'R' // + number
	kindPromoted   byte = 'Q' // the last promotion
	kindProfile    byte = 'P' // + user
	kindItemID     byte = 'J' // + raw id
	kindItem       byte = 'G' // + number
	kindDecision   byte = 'V' // + time and id of the first decision of a batch
	kindList       byte = 'X' // + id
	kindOwned      byte = 'O' // + user, then kindDecision, window or kindList, id
	kindCheckpoint byte = 'C' // + name
	kindChunk      byte = 'B' // + generation, number
	kindVector     byte = 'W' // + hash of the model, 8 bytes, hash of the text, 16 bytes
)

// prefixLen is the tenant's number and the kind.
const prefixLen = 5

// appendPrefix starts a key.
func appendPrefix(b []byte, tenant uint32, kind byte) []byte {
	b = binary.BigEndian.AppendUint32(b, tenant)
	return append(b, kind)
}

func prefixKey(tenant uint32, kind byte) []byte {
	return appendPrefix(make([]byte, 0, prefixLen), tenant, kind)
}

// textKey ends in raw bytes; nothing follows them, so that they need no length.
func textKey(tenant uint32, kind byte, text string) []byte {
	return append(appendPrefix(make([]byte, 0, prefixLen+len(text)), tenant, kind), text...)
}

func numberKey(tenant uint32, kind byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPrefix(make([]byte, 0, prefixLen+8), tenant, kind), n)
}

func pairKey(tenant uint32, kind byte, a, b uint64) []byte {
	k := binary.BigEndian.AppendUint64(appendPrefix(make([]byte, 0, prefixLen+16), tenant, kind), a)
	return binary.BigEndian.AppendUint64(k, b)
}

func itemKey(tenant, number uint32) []byte {
	return binary.BigEndian.AppendUint32(appendPrefix(make([]byte, 0, prefixLen+4), tenant, kindItem), number)
}

func chunkKey(tenant uint32, generation uint64, n uint32) []byte {
	k := appendPrefix(make([]byte, 0, prefixLen+12), tenant, kindChunk)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(k, generation), n)
}

func vectorKey(tenant uint32, model record.ModelHash, text record.TextHash) []byte {
	k := append(appendPrefix(make([]byte, 0, vectorKeyLen), tenant, kindVector), model[:]...)
	return append(k, text[:]...)
}

// vectorKeyLen is the length of the key of a text's vector.
const vectorKeyLen = prefixLen + len(record.ModelHash{}) + len(record.TextHash{})

func decisionKey(tenant uint32, at time.Time, id string) []byte {
	k := appendPrefix(make([]byte, 0, prefixLen+8+len(id)), tenant, kindDecision)
	return append(binary.BigEndian.AppendUint64(k, orderedTime(at.UnixNano())), id...)
}

// ownedKey starts a note of what a person owns; what tells it from others of its kind
// follows.
func ownedKey(tenant uint32, user uint64, kind byte) []byte {
	k := appendPrefix(make([]byte, 0, prefixLen+9+24), tenant, kindOwned)
	return append(binary.BigEndian.AppendUint64(k, user), kind)
}

// orderedTime maps nanoseconds, which may be negative, to numbers of the same order.
func orderedTime(ns int64) uint64 { return uint64(ns) ^ 1<<63 }

func unorderedTime(n uint64) int64 { return int64(n ^ 1<<63) }

// duplicateHash hides event ids, which often have a person's id within, and
// makes them short. 128 bits of a keyed SHA-256 do not collide by chance, and
// nobody outside can make them.
func duplicateHash(hashKey *[32]byte, id string) (h [16]byte) {
	var buf [32 + 128]byte
	b := append(append(buf[:0], hashKey[:]...), id...)
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// lastNumber reads the number that ends a key.
func lastNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
