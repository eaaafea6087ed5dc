package importer

import (
	"encoding/json"
	"io"
	"time"
)

// Summary is what became of an import. Its JSON form is what `--json` prints, on one line.
type Summary struct {
	Format string `json:"format"`
	Data   string `json:"data"`
	Addr   string `json:"addr"`
	DryRun bool   `json:"dry_run"`
	// Complete says that the files were read to their end and every row was answered. Otherwise the error of Run says why.
	Complete bool `json:"complete"`

	Items  ItemCounts  `json:"items"`
	Events EventCounts `json:"events"`

	// BadRows are the first 20 rejected rows; BadRowsOmitted more are not listed here.
	BadRows        []BadRow `json:"bad_rows,omitempty"`
	BadRowsOmitted int64    `json:"bad_rows_omitted"`
	ErrorsFile     string   `json:"errors_file,omitempty"`

	// Notes say what was done beside sending rows, or was held back, and why.
	Notes []string `json:"notes,omitempty"`

	Seconds         float64 `json:"seconds"` // wall time of all
	EventSeconds    float64 `json:"event_seconds"`
	EventsPerSecond float64 `json:"events_per_second"` // answered events over EventSeconds
	Batch           int     `json:"batch"`
	InFlight        int     `json:"in_flight"`

	// User is one user of the files, to try a recommendation with.
	User string `json:"user,omitempty"`

	key, tls  bool  // given
	expired   int64 // rows that were rejected for their age
	itemsRan  bool
	eventsRan bool
}

// ItemCounts account for the rows of the catalog: Read = Added + Changed + Unchanged + Stale + Rejected + Unanswered.
type ItemCounts struct {
	Read      int64 `json:"read"` // rows of the file, bad ones included
	Added     int64 `json:"added"`
	Changed   int64 `json:"changed"`
	Unchanged int64 `json:"unchanged"`
	Stale     int64 `json:"stale"` // older than the stored row
	Rejected  int64 `json:"rejected"`
	// Unanswered rows were read, but the import ended before the service answered for them; 0 where it is complete.
	Unanswered int64 `json:"unanswered"`
	Removed    int64 `json:"removed"` // by the mode replace; rows of the catalog, not of the file
	// Catalog is how many items the catalog holds now, as the service says.
	Catalog int64 `json:"catalog"`
	// Restarts counts the uploads that broke and were begun anew. Rows that landed before are then unchanged.
	Restarts int `json:"restarts"`
	// Of the mode replace: the first ids of each kind, and for a dry run why it would be refused (empty: it would be
	// taken) and what it does to users' first ten items.
	AddedSample   []string `json:"added_sample,omitempty"`
	ChangedSample []string `json:"changed_sample,omitempty"`
	RemovedSample []string `json:"removed_sample,omitempty"`
	Refusal       string   `json:"refusal,omitempty"`
	Impact        *Impact  `json:"impact,omitempty"`
}

// Impact is what a replacement would do to the first ten items of a sample of users. New items are not ranked.
type Impact struct {
	Users        int32            `json:"users"`
	ChangedShare float64          `json:"changed_share"` // of them whose list changes, 0 to 1
	LeavingMean  float64          `json:"leaving_mean"`  // items of the ten
	Leaving      map[string]int32 `json:"leaving,omitempty"`
	Entering     map[string]int32 `json:"entering,omitempty"` // lists by item, those in most alone
}

// EventCounts account for the rows of the log: Read = Added + Duplicates + Valid + Rejected + Unanswered.
type EventCounts struct {
	Read       int64 `json:"read"` // events of the file, bad rows included
	Added      int64 `json:"added"`
	Duplicates int64 `json:"duplicates"` // known before, with the same content
	Unjoined   int64 `json:"unjoined"`   // of those added, events whose item is not in the catalog yet
	Rejected   int64 `json:"rejected"`
	Valid      int64 `json:"valid"` // of a dry run: passed the checks made here
	// Unanswered events were read, but the import ended before the service answered for them; 0 where it is complete.
	Unanswered int64 `json:"unanswered"`
	// Resent events were sent again since the connection broke before their answer. Those that had landed count as
	// duplicates although this import added them.
	Resent int64 `json:"resent"`
}

// Rejected is the number of rows that were not taken.
func (s *Summary) Rejected() int64 { return s.Items.Rejected + s.Events.Rejected }

// NothingNew reports whether a complete import found everything known already.
func (s *Summary) NothingNew() bool {
	return s.Complete && !s.DryRun && s.Rejected() == 0 && s.Items.Read+s.Events.Read > 0 &&
		s.Items.Unchanged == s.Items.Read && s.Items.Removed == 0 && s.Items.Restarts == 0 &&
		s.Events.Duplicates == s.Events.Read && s.Events.Resent == 0
}

// WriteJSON writes the summary as one line of JSON.
func (s *Summary) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(s) }

func (s *Summary) closeBooks(r *rejects, took time.Duration) {
	s.BadRows, s.BadRowsOmitted = r.first, r.total-int64(len(r.first))
	s.expired = r.expired
	it, ev := &s.Items, &s.Events
	it.Unanswered = it.Read - it.Added - it.Changed - it.Unchanged - it.Stale - it.Rejected
	ev.Unanswered = ev.Read - ev.Added - ev.Duplicates - ev.Valid - ev.Rejected
	s.Seconds = took.Seconds()
	if s.EventSeconds > 0 {
		s.EventsPerSecond = float64(ev.Added+ev.Duplicates) / s.EventSeconds
	}
}
