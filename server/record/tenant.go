package record

import (
	"cmp"
	"time"
)

// Tenant is one shop: its settings. Its data hang under its number.
type Tenant struct {
	Name     string // 1 to 63 of a-z, 0-9 and '-', starting with a letter
	Number   uint32 // given by the store, prefix of every key
	Created  time.Time
	Currency string // ISO 4217; empty: the first price decides
	Clock    Clock
	// EventTypes holds declared types and changed weights by name; a built-in
	// type that is absent has its default weight.
	EventTypes []EventType
	Surfaces   []Surface
	Attributes []Attribute
	// Retention is how long events and their idempotency keys live; zero: 400 days.
	Retention time.Duration
	// RemovalShare of the catalog may go in a replacement without its number being
	// confirmed, above 0 to 1; zero: 0.2.
	RemovalShare float64
	// Kept is how long the rest is kept.
	Kept Kept
	// Policies holds the kept versions, by name and then by version.
	Policies []Policy
	// Experiments holds the last revisions, by name.
	Experiments []Experiment
}

// Kept says how long things are kept; zero: see each.
type Kept struct {
	Decisions     time.Duration // 1 hour to 10 years; zero: what the store has for all
	Lists         time.Duration // 1 minute to 1 day; zero: what the store has for all
	Vectors       time.Duration // that no item needs, 1 hour to 1 year; zero: until the next sweep
	Audit         time.Duration // 30 days to 100 years; zero: as many as its size allows
	CatalogBefore time.Duration // 1 hour to 10 years; zero: until the next replacement
}

// Over returns k with the times of change that are set in place of its own.
func (k Kept) Over(change Kept) Kept {
	return Kept{
		Decisions: cmp.Or(change.Decisions, k.Decisions), Lists: cmp.Or(change.Lists, k.Lists), Vectors: cmp.Or(change.Vectors, k.Vectors),
		Audit: cmp.Or(change.Audit, k.Audit), CatalogBefore: cmp.Or(change.CatalogBefore, k.CatalogBefore),
	}
}

// Clock says what a tenant takes for now.
type Clock uint8

const (
	// ClockUnset is ClockWall where nothing else was said.
	ClockUnset Clock = iota
	// ClockWall is the machine's time.
	ClockWall
	// ClockLog is the largest event time seen, so that an old log replays with
	// its own decay and trends.
	ClockLog
)

// EventType gives a type its weight in a user's taste and in popularity.
type EventType struct {
	Name      string
	Weight    float64 // -10 to 10; negative: the user does not want it
	NeedsItem bool
}

// Surface is a place where results are shown, with its default policy.
type Surface struct {
	Name      string
	Limit     int32   // items returned when the request says none; 0: 10
	Seen      string  // keep, hide_purchased, hide_interacted; empty: hide_purchased
	Diversity float64 // 0 to 1
	Filter    string  // CEL, combined with the request's by "and"
	Policy    string  // name of a policy; empty: "default"
}

// Attribute declares one typed attribute of items.
type Attribute struct {
	Name string
	Kind Kind
	List bool
}

// Role says what an API key may do.
type Role string

// The roles. Admin may do all.
const (
	RoleFrontend  Role = "frontend"  // recommend and write events
	RoleMerchant  Role = "merchant"  // catalog
	RoleScientist Role = "scientist" // read logs, evaluate
	RoleAdmin     Role = "admin"
	RoleBrowser   Role = "browser" // one session's part of frontend, from a web page
)

// Roles are all roles.
var Roles = []Role{RoleFrontend, RoleMerchant, RoleScientist, RoleAdmin, RoleBrowser}

// Key is an API key as it is stored: never the secret, only its hash.
type Key struct {
	ID      string // public handle, part of the secret's text
	Tenant  string
	Role    Role
	Name    string // what it is for
	Hash    [32]byte
	Created time.Time
	Revoked time.Time // zero: in force
	// Rotated is when the secret was last made anew; zero: never. Prior is the hash of the
	// secret before, which is valid until PriorUntil, exclusive.
	Rotated    time.Time
	Prior      [32]byte
	PriorUntil time.Time
	// Origins are the web origins, such as "https://shop.example", that a key of RoleBrowser
	// may be used from. Empty for other roles.
	Origins []string
	// Quota bounds the key's calls beside its tenant's quota.
	Quota Quota
}

// Quota is how much a key or a tenant may ask of a service each second. Zero: what the
// service has for all.
type Quota struct {
	Requests float64 // calls, and messages of streams
	Events   float64 // events and catalog rows
	Bytes    float64 // of messages received
}
