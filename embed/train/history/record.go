package history

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// acts are sorted as bytes: a hash of the user and the seed, the user, the time with its
// sign bit turned, the place in the stream; behind this key what is kept of the act.
const (
	actKey  = 8 + 2 // before the user
	actRest = 8 + 8 + 4 + 1 + 1 + 4 + 4 + 8
)

// kept is an act between the sort and the history.
type kept struct {
	order     int64 // time that it is ordered by; NoTime: none
	timed     bool  // order is a real time
	item      uint32
	kind      uint8
	value     float32
	weight    float32
	id        uint64 // hash of its id, 0: none
	duplicate bool
}

func userHash(user string, seed uint64) uint64 {
	return xxhash.Sum64String(user) ^ mix(seed)
}

// mix is a bijection that spreads the bits of a number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// appendAct writes an act as a record for the sort.
func appendAct(to []byte, user string, seed, place uint64, k kept) []byte {
	to = binary.BigEndian.AppendUint64(to, mix(userHash(user, seed)))
	to = binary.BigEndian.AppendUint16(to, uint16(len(user)))
	to = append(to, user...)
	to = binary.BigEndian.AppendUint64(to, uint64(k.order)^1<<63)
	to = binary.BigEndian.AppendUint64(to, place)
	to = binary.LittleEndian.AppendUint32(to, k.item)
	flags := byte(0)
	if k.timed {
		flags = flagTimed
	}
	to = append(to, k.kind, flags)
	to = binary.LittleEndian.AppendUint32(to, math.Float32bits(k.value))
	to = binary.LittleEndian.AppendUint32(to, math.Float32bits(k.weight))
	return binary.LittleEndian.AppendUint64(to, k.id)
}

// parseAct reads such a record. The key of the user is lent.
func parseAct(record []byte) (user []byte, k kept, err error) {
	if len(record) < actKey+actRest {
		return nil, k, fmt.Errorf("%w: an act of %d bytes", errRecord, len(record))
	}
	n := int(binary.BigEndian.Uint16(record[8:]))
	if len(record) != actKey+n+actRest {
		return nil, k, fmt.Errorf("%w: an act of %d bytes with a user of %d", errRecord, len(record), n)
	}
	user, rest := record[actKey:actKey+n], record[actKey+n:]
	k.order = int64(binary.BigEndian.Uint64(rest) ^ 1<<63)
	rest = rest[16:]
	k.item = binary.LittleEndian.Uint32(rest)
	k.kind, k.timed = rest[4], rest[5] == flagTimed
	k.value = math.Float32frombits(binary.LittleEndian.Uint32(rest[6:]))
	k.weight = math.Float32frombits(binary.LittleEndian.Uint32(rest[10:]))
	k.id = binary.LittleEndian.Uint64(rest[14:])
	return user, k, nil
}
