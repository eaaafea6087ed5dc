package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// ErrProtocol is wrapped by errors about replies that do not say what they must: vectors
// of a wrong size, numbers that are not finite, ids out of order.
var ErrProtocol = errors.New("remote: worker broke the protocol")

const float32Bytes = 4

// packVectors makes the wire's form of vectors: float32, little-endian.
func packVectors(vectors []float32) []byte {
	raw := make([]byte, len(vectors)*float32Bytes)
	for i, x := range vectors {
		binary.LittleEndian.PutUint32(raw[i*float32Bytes:], math.Float32bits(x))
	}
	return raw
}

// unpackVectors reads the wire's form into out, which it fills exactly. It refuses what
// is not finite, since one such number spoils every comparison later on.
func unpackVectors(raw []byte, out []float32) error {
	if len(raw) != len(out)*float32Bytes {
		return fmt.Errorf("%w: %d bytes of vectors, want %d float32 of %d bytes", ErrProtocol, len(raw), len(out), float32Bytes)
	}
	const exponent = 0xff << 23 // all ones: infinite, or not a number
	for i := range out {
		bits := binary.LittleEndian.Uint32(raw[i*float32Bytes:])
		if bits&exponent == exponent {
			return fmt.Errorf("%w: component %d is %g; vectors are finite", ErrProtocol, i, math.Float32frombits(bits))
		}
		out[i] = math.Float32frombits(bits)
	}
	return nil
}

// sendable returns what of a text goes over the wire: valid UTF-8, since the wire's
// strings are, and no more than the model reads, with one character beyond so that the
// worker sees and counts what is left out. Bytes that are not UTF-8 mean nothing to an
// encoder. They do count to what it reads, so a long text that has some is cut exactly.
func sendable(text string, maxBytes int) string {
	if len(text) > maxBytes {
		if beyond := upTo(text, maxBytes+utf8.UTFMax); utf8.ValidString(beyond) {
			return beyond
		}
		text = upTo(text, maxBytes)
	}
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "")
}

// upTo is a text's beginning of at most n bytes, cut between two characters.
func upTo(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(text[i]) {
			return text[:i]
		}
	}
	return text[:n] // not UTF-8 there
}
