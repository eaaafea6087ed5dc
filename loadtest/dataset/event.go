package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// The types of events, named as on the wire, in lower case. A file may name others: a tenant can declare its own.
const (
	TypeImpression = "impression"
	TypeView       = "view"
	TypeClick      = "click"
	TypeLike       = "like"
	TypeDislike    = "dislike"
	TypeAddToCart  = "add_to_cart"
	TypePurchase   = "purchase"
	TypeRating     = "rating" // Value is the rating
	TypeComment    = "comment"
	TypeSearch     = "search" // Text is the query; the one type that needs no item
	TypeShare      = "share"
	TypeHide       = "hide"
)

// Event is one act of a user on an item.
type Event struct {
	ID      string // stable: reading the same file again gives the same id
	User    string // may be empty if Session is not
	Session string
	Item    string // empty for searches only
	Type    string // TypeView, ...; never empty

	Value    float64 // finite; the rating, the quantity, ...; holds only where HasValue
	HasValue bool
	Text     string // of a comment

	Time      time.Time
	Synthetic bool // Time was made up, here or by who wrote the file: it orders a user's events and says nothing more

	Surface          string // where the item was shown
	RecommendationID string // the reply that showed it; empty if none did
	Position         int    // 1-based slot of that reply; 0: not known

	Context map[string]string // what else the source says of the act; nil where it says nothing
}

// Case is one row of a published test: what a user did, in time order, and what came next.
type Case struct {
	User    string
	History []string // item ids, oldest first, repeats kept
	Target  string
}

// DeriveID is the stable id of an event whose file names none: 128 bits of SHA-256, in hex, over the user (or the session
// where there is no user), the item, the type, the time and the ordinal, which tells equal rows apart. Value and text
// stay out of it, so that a row that was corrected is recognised as the same event.
func (e Event) DeriveID(ordinal uint32) string {
	key := e.key(ordinal)
	return hex.EncodeToString(key[:])
}

func (e Event) key(ordinal uint32) [16]byte {
	buf := make([]byte, 0, 256)
	who, kind := e.User, byte('u')
	if who == "" {
		who, kind = e.Session, 's'
	}
	buf = append(buf, kind)
	for _, s := range []string{who, e.Item, e.Type} {
		// The length stands before each part, so that no two different events run together into one text.
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(e.Time.Unix()))
	buf = binary.BigEndian.AppendUint32(buf, uint32(e.Time.Nanosecond()))
	buf = binary.BigEndian.AppendUint32(buf, ordinal)
	sum := sha256.Sum256(buf)
	return [16]byte(sum[:16])
}
