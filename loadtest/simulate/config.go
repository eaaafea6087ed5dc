package simulate

import (
	"errors"
	"fmt"
	"time"
)

// Config says which world. The same Config gives the same world, to the last event. Start from DefaultConfig.
type Config struct {
	Seed uint64 `json:"seed"` // any

	Items    int `json:"items"`             // on the shelves at the start, 100 to 100,000,000
	NewItems int `json:"new_items_per_day"` // that come each day of the comparison, 0 to 1,000,000
	Dims     int `json:"dims"`              // of latent vectors, 8 to 64

	Users        int     `json:"users"`          // 2 to 10,000,000
	Bots         int     `json:"bots"`           // 0 to 1,000,000
	VisitsPerDay float64 `json:"visits_per_day"` // mean of a user, above 0 to 12
	Zipf         float64 `json:"zipf"`           // how unequal users are: visits fall as rank^-Zipf, 0 to 2
	Drift        float64 `json:"drift_per_day"`  // how fast taste turns, radians a day, 0 to 1
	Browsing     float64 `json:"browsing"`       // share of visits that also look around without the list, 0 to 1
	Leaving      float64 `json:"leaving"`        // probability to leave for good after a visit that ends wholly unsatisfied, 0 to 1

	Season     float64 `json:"season"`      // how far demand for a topic swings, in log odds of a click, 0 to 5
	SeasonDays float64 `json:"season_days"` // length of a period, at least 1

	Start       time.Time `json:"start"`        // first day of the comparison
	HistoryDays int       `json:"history_days"` // days of random lists before it, 0 to 1,000
	Days        int       `json:"days"`         // of the comparison, 1 to 1,000

	Limit  int    `json:"limit"`       // items in a list, 1 to 50
	Clicks Clicks `json:"click_model"` // how a list is read
	Goal   Goal   `json:"goal"`        // what a list is worth
}

// Goal is what the value of a list counts, and regret with it.
type Goal string

// The goals.
const (
	GoalClicks    Goal = "clicks"
	GoalPurchases Goal = "purchases"
)

// DefaultConfig is a small shop.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Items: 2000, NewItems: 20, Dims: 24, Users: 1000, Bots: 5, VisitsPerDay: 1, Zipf: 0.6, Drift: 0.02, Browsing: 0.3,
		Leaving: 0.05, Season: 0.7, SeasonDays: 28, Start: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), HistoryDays: 7, Days: 14,
		Limit: 10, Clicks: PositionBased(0.7), Goal: GoalPurchases,
	}
}

// Sentinels of this package.
var (
	// ErrOptions: an option is out of its bounds, or two do not go together.
	ErrOptions = errors.New("bad option")
	// ErrNotEmpty: the tenant holds items or events already.
	ErrNotEmpty = errors.New("the tenant is not empty")
	// ErrServer: the server did not take or answer what it must.
	ErrServer = errors.New("the server failed")
)

func bad(format string, args ...any) error {
	return fmt.Errorf("simulate: %w: "+format, append([]any{ErrOptions}, args...)...)
}

func (c Config) validate() error {
	for _, n := range []struct {
		name        string
		value, a, b int
	}{
		{"items", c.Items, 100, 100_000_000}, {"new items a day", c.NewItems, 0, 1_000_000}, {"dims", c.Dims, 8, maxDims},
		{"users", c.Users, 2, 10_000_000}, {"bots", c.Bots, 0, 1_000_000}, {"history days", c.HistoryDays, 0, 1000},
		{"days", c.Days, 1, 1000}, {"limit", c.Limit, 1, maxLimit},
	} {
		if n.value < n.a || n.value > n.b {
			return bad("%s %d: must be %d to %d", n.name, n.value, n.a, n.b)
		}
	}
	for _, n := range []struct {
		name        string
		value, a, b float64
	}{
		{"visits a day", c.VisitsPerDay, 0.001, mostVisits}, {"zipf", c.Zipf, 0, 2}, {"drift", c.Drift, 0, 1}, {"browsing", c.Browsing, 0, 1},
		{"leaving", c.Leaving, 0, 1}, {"season", c.Season, 0, 5}, {"season days", c.SeasonDays, 1, 10_000},
	} {
		if !(n.value >= n.a && n.value <= n.b) { // also false for NaN
			return bad("%s %v: must be %v to %v", n.name, n.value, n.a, n.b)
		}
	}
	if c.Start.Year() < 1980 || c.Start.Year() > 9000 {
		return bad("start %v: the year must be 1980 to 9000", c.Start)
	}
	if c.Goal != GoalClicks && c.Goal != GoalPurchases {
		return bad("goal %q: must be %s or %s", c.Goal, GoalClicks, GoalPurchases)
	}
	return c.Clicks.validate()
}
