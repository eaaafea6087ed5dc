package record

import (
	"encoding/base32"
	"encoding/binary"
	"time"
)

// A decision's id is a time and a random number, so that the ids of two replies never
// meet, those of one moment lie together, and the id alone says where in a log ordered
// by time its decision is: 7 bytes of microseconds since 1970 and 5 random ones, in the
// digits of base32hex, whose order is that of the bytes. A reply of several rows adds
// ".1", ".2" and so on for the rows after the first.
const (
	decisionIDBytes  = 12
	decisionIDDigits = 20
)

var decisionIDEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewDecisionID returns an id for a decision of a time from 1970 to 4200; random gives
// its low 40 bits.
func NewDecisionID(at time.Time, random uint64) string {
	var raw [decisionIDBytes]byte
	binary.BigEndian.PutUint64(raw[:], uint64(at.UnixMicro())<<8)
	raw[7] = byte(random >> 32)
	binary.BigEndian.PutUint32(raw[8:], uint32(random))
	return decisionIDEncoding.EncodeToString(raw[:])
}

// DecisionTime returns the time, to the microsecond, that an id of [NewDecisionID] was
// made for; false for any other text.
func DecisionTime(id string) (time.Time, bool) {
	if len(id) < decisionIDDigits || len(id) > decisionIDDigits && id[decisionIDDigits] != '.' {
		return time.Time{}, false
	}
	var raw [decisionIDBytes]byte
	if _, err := decisionIDEncoding.Decode(raw[:], []byte(id[:decisionIDDigits])); err != nil {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(raw[:]) >> 8)).UTC(), true
}
