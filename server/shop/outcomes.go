package shop

import "time"

// Outcomes is told what was shown and what came of it, as it happens: what the events of
// one reply say of it. Methods are called on the way of requests and of the log; they are
// quick, and safe for concurrent use.
type Outcomes interface {
	// Served tells of one list by its recommendation id and its policy, "name/version".
	// Lists for another time (as_of) and bulk lists are not told of.
	Served(tenant, id, policy string, at time.Time)
	// Acted tells of an event that names a list, of a type of record.TypeClick and others,
	// with the time at which it was received.
	Acted(tenant, id, event string, at time.Time)
}
