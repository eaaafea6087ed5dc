package dataset

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/delimited"
)

// Format names a way of laying out a catalog and a log in files.
type Format string

// The known formats. The package comment says what each one's files hold.
const (
	JSONL     Format = "jsonl"
	MovieLens Format = "movielens"
	Amazon    Format = "amazon"
	Reviews   Format = "amazon-reviews"
	S3Rec     Format = "s3rec"
	RecBole   Format = "recbole"
	CSV       Format = "csv"
	Parquet   Format = "parquet"
)

// Formats lists the known formats.
func Formats() []Format {
	return []Format{JSONL, MovieLens, Amazon, Reviews, S3Rec, RecBole, CSV, Parquet}
}

// ParseFormat turns a name into a Format, or lists the known ones in an ErrUnknownFormat.
func ParseFormat(name string) (Format, error) {
	if f := Format(strings.ToLower(name)); slices.Contains(Formats(), f) {
		return f, nil
	}
	known := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		known = append(known, string(f))
	}
	return "", fmt.Errorf("dataset: %w %q: known are %s", ErrUnknownFormat, name, strings.Join(known, ", "))
}

// Source is a catalog and a log. Each iterator opens its files anew, streams them, and closes them when the loop ends,
// also by break; so a Source may be read many times, and by several goroutines.
//
// An iterator yields either a row and a nil error, or a zero row and an error. A *RowError is about one row and reading
// goes on; how many of them are too many is for the caller to say. Any other error is the last thing yielded.
type Source interface {
	// Items yields the catalog, in file order. It yields nothing where the source has no catalog.
	Items() iter.Seq2[Item, error]
	// Events yields the log. The events of one user come in time order where the format promises it; see the package comment.
	Events() iter.Seq2[Event, error]
}

// TestSource is a Source that comes with published test rows (amazon). They are no part of Events.
type TestSource interface {
	Source
	// Cases yields the test rows in file order.
	Cases() iter.Seq2[Case, error]
}

// TimeUnit is the unit of times that are written as plain numbers.
type TimeUnit uint8

// The units of numeric times, counted from 1970-01-01T00:00:00Z. Times in RFC 3339 need none.
const (
	Seconds TimeUnit = iota // the default
	Milliseconds
)

// Options tell a reader what the files do not. The zero value is right for files that follow the package comment.
type Options struct {
	// ItemsFile and EventsFile replace the default file names of jsonl, csv, parquet, recbole and amazon-reviews. A relative name is looked
	// up in the directory given to Open.
	ItemsFile, EventsFile string
	// Map renames columns of csv and parquet; see ParseMap.
	Map []Mapping
	// IgnoreColumns are columns of csv and parquet to leave out; "*" leaves out every column that is not known. Without it
	// an unknown column is an ErrHeader, so that nothing of a catalog is lost unseen.
	IgnoreColumns []string
	// Comma separates the columns of csv; 0 means ','.
	Comma rune
	// TimeUnit is the unit of numeric times, in every format that has times.
	TimeUnit TimeUnit
	// EventType is the type of events whose file names none. Empty means the default of the format.
	EventType string
	// Currency is the currency of prices whose row names none. Empty makes such a price a row error.
	Currency string
	// Epoch is the time of the first event where the file has no times. Zero means 2000-01-01T00:00:00Z.
	Epoch time.Time
	// MaxRowBytes bounds one row, and with it the memory of a reader; a longer row is a row error. 0 means 1 MiB.
	MaxRowBytes int
	// MaxSortedEvents bounds the events that movielens and amazon-reviews hold in memory to bring them into time order, at roughly 100 bytes
	// each. 0 means 2,000,000. A longer log ends in ErrLimit.
	MaxSortedEvents int
	// MaxTies bounds the events that share one time and are remembered to number equal ones apart, at roughly 40 bytes
	// each. 0 means 1,000,000. More end in ErrLimit; an id column makes it needless.
	MaxTies int
}

const (
	defaultRowBytes     = 1 << 20
	defaultSortedEvents = 2_000_000
	defaultTies         = 1_000_000
)

func (o Options) withDefaults() (Options, error) {
	if o.MaxRowBytes < 0 || o.MaxSortedEvents < 0 || o.MaxTies < 0 {
		return o, fmt.Errorf("dataset: MaxRowBytes %d, MaxSortedEvents %d, MaxTies %d: none may be negative; 0 means the default",
			o.MaxRowBytes, o.MaxSortedEvents, o.MaxTies)
	}
	if o.TimeUnit > Milliseconds {
		return o, fmt.Errorf("dataset: TimeUnit %d: must be Seconds (0) or Milliseconds (1)", o.TimeUnit)
	}
	if o.Currency != "" && !isCurrency(o.Currency) {
		return o, fmt.Errorf("dataset: currency %q: must be three capital letters, as EUR", o.Currency)
	}
	if o.Epoch.IsZero() {
		o.Epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.MaxRowBytes == 0 {
		o.MaxRowBytes = defaultRowBytes
	}
	if o.MaxSortedEvents == 0 {
		o.MaxSortedEvents = defaultSortedEvents
	}
	if o.MaxTies == 0 {
		o.MaxTies = defaultTies
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	if !delimited.ValidComma(o.Comma) {
		return o, fmt.Errorf("dataset: Comma %q: must be a character other than a quote or a line break", o.Comma)
	}
	return o, o.checkMap()
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

func (o Options) typeOr(fallback string) string {
	if o.EventType != "" {
		return o.EventType
	}
	return fallback
}
