package record

import (
	"crypto/sha256"
	"encoding/binary"
)

// ModelHash names a text encoder's model and dimension, TextHash a text. Both are the
// first bytes of a SHA-256: short keys, whatever the name or the text. A catalog is one
// tenant's own, so that only that tenant could ever profit from texts that collide.
type (
	ModelHash [8]byte
	TextHash  [16]byte
)

// HashModel returns the hash of a model's name, which names its content, and its
// dimension.
func HashModel(name string, dim int) ModelHash {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(name), uint32(dim)))
	return ModelHash(sum[:8])
}

// HashText returns the hash of a text.
func HashText(text string) TextHash {
	sum := sha256.Sum256([]byte(text))
	return TextHash(sum[:16])
}
