package remote

import (
	"strings"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
)

// ErrProtocol is wrapped by errors about replies that do not say what they must: vectors
// of a wrong size, numbers that are not finite, ids out of order.
var ErrProtocol = wire.ErrProtocol

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
