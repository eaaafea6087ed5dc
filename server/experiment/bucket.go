package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Buckets is how many parts units are cut into: shares are in ten-thousandths.
const Buckets = 10_000

// Bucket is the part that a unit falls into under a salt, 0 to Buckets-1. Each part has a
// ten-thousandth of all units, whatever they look like.
func Bucket(salt, unit string) int {
	// The length keeps the two apart: "ab", "c" is not "a", "bc".
	var buf [256]byte
	b := binary.BigEndian.AppendUint32(buf[:0], uint32(len(salt)))
	b = append(append(b, salt...), unit...)
	sum := sha256.Sum256(b)
	high, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:]), Buckets)
	return int(high)
}
