package store

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
)

// A value is one byte of format, one byte that says what it is, and a protobuf
// message. The kind catches a key that leads to the wrong row; the format lets
// a later release read what this one wrote.
const format byte = 1

// headerLen is the length of format and kind.
const headerLen = 2

// What a value is. In the log the kind tells the mutations apart.
const (
	valueEvent         byte = 1
	valueItemChange    byte = 2
	valueProfileChange byte = 3
	valueMerge         byte = 4
	valueErase         byte = 5
	valueVector        byte = 6 // no message: float32, little-endian
	valuePromotion     byte = 7
	valueOther         byte = 15 // the key alone says which message it is
)

// encode makes a value. Marshalling fails only for text that is not UTF-8,
// which the caller has to refuse by name before.
func encode(kind byte, m proto.Message) ([]byte, error) {
	b := make([]byte, headerLen, headerLen+proto.Size(m))
	b[0], b[1] = format, kind
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	if err != nil {
		return nil, fmt.Errorf("store: encoding: %w: %w", record.ErrInvalid, err)
	}
	return b, nil
}

// body checks the header of a value and returns its kind and its message.
func body(v []byte) (kind byte, message []byte, err error) {
	switch {
	case len(v) < headerLen:
		return 0, nil, fmt.Errorf("store: a value of %d bytes has no header: %w", len(v), record.ErrCorrupt)
	case v[0] != format:
		return 0, nil, fmt.Errorf("store: a value has format %d, this release reads %d: %w", v[0], format, record.ErrCorrupt)
	}
	return v[1], v[headerLen:], nil
}

// decode reads a value of the wanted kind.
func decode(v []byte, kind byte, m proto.Message) error {
	k, message, err := body(v)
	if err != nil {
		return err
	}
	if k != kind {
		return fmt.Errorf("store: a value has kind %d in place of %d: %w", k, kind, record.ErrCorrupt)
	}
	return unmarshal(message, m)
}

func unmarshal(message []byte, m proto.Message) error {
	if err := proto.Unmarshal(message, m); err != nil {
		return fmt.Errorf("store: %w: %w", record.ErrCorrupt, err)
	}
	return nil
}
