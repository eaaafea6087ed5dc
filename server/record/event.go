package record

import "time"

// Event is one act of a user on an item.
type Event struct {
	ID      string // idempotency key, 1 to 128 bytes, unique in the tenant
	User    string // at least one of User and Session is set
	Session string
	Item    string // empty only for types that need none (search)
	Type    string // a built-in or declared type

	Value    float64 // rating, quantity or money, as the type has it
	HasValue bool
	Text     string // comment or search text, at most 8 KiB
	Time     time.Time
	// Synthetic says that the source had no times and that Time only orders the
	// events; features of time ignore it.
	Synthetic bool
	// Stamped says that the caller gave no time and the service its own. The time
	// is then no part of the content that a retry is compared by.
	Stamped bool

	RecommendationID string // the reply that showed the item
	Position         int32  // slot in that reply, from 1; 0: unknown
	Surface          string
	Context          map[string]string
}

// The built-in event types. A tenant may declare more.
const (
	TypeImpression = "impression"
	TypeView       = "view"
	TypeClick      = "click"
	TypeLike       = "like"
	TypeDislike    = "dislike"
	TypeAddToCart  = "add_to_cart"
	TypePurchase   = "purchase"
	TypeRating     = "rating"
	TypeComment    = "comment"
	TypeSearch     = "search"
	TypeShare      = "share"
	TypeHide       = "hide"
)

// Stored is an event as the log keeps it.
type Stored struct {
	Event
	Seq        uint64    // place in the tenant's log
	Received   time.Time // when the service acknowledged it
	UserNumber uint64    // random number of the user, or of the session where no user was given
	ItemNumber uint32    // number of the item; NoItem where the event has none
}

// NoItem is the item number of an event without an item.
const NoItem = ^uint32(0)

// Profile is what is known of one user beside their events.
type Profile struct {
	User       string
	Attributes map[string]Value
	// OptOut turns personalisation off: the user's events are kept but no
	// recommendation is made from them.
	OptOut   bool
	Sessions []string // sessions merged into the user, filled on reading
	Updated  time.Time
}
