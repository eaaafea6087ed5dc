package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kindred-rec/kindred/embed/train/history/internal/spill"
)

// Errors that a caller can tell apart.
var (
	// ErrOptions: a setting is out of its range; the error names it.
	ErrOptions = errors.New("history: bad options")
	// ErrAct: an act of the stream is malformed; the error names it.
	ErrAct = errors.New("history: bad act")
	// ErrLimit: a bound of Options was passed; the error names it.
	ErrLimit = errors.New("history: limit reached")
	// ErrCorrupt: a spill file is damaged; the error names the file and the offset.
	ErrCorrupt = spill.ErrCorrupt
)

// MaxID bounds the ids of users and items, in bytes.
const MaxID = 1 << 10

// MaxTypes bounds Options.Types: a type is one byte.
const MaxTypes = 255

// Act is one act of a user on an item, as it stands in a log.
type Act struct {
	ID   string // of the event; empty: it has none, and is no duplicate by it
	User string
	Item string
	Type string // a name of Options.Types

	Time      time.Time // zero: not known
	Synthetic bool      // Time orders the user's acts and says nothing more

	Value    float64 // of a rating
	HasValue bool
	Text     string // of a comment
	Seq      uint64 // place in the log it comes from, for Report.Head; 0: it has none
}

// Type says how acts of one kind count.
type Type struct {
	Name   string
	Weight float32 // how much it attracts to the item; below 0 it repels
	// Least and Most are the ends of a rating's scale, as 1 and 5: an act with a value then
	// weighs from -Weight to Weight. Both 0: no rating.
	Least, Most float64
	// Comment says that the weight of an act with a text is multiplied by its sentiment.
	Comment bool
}

// Scorer says how texts feel, from -1 to 1 each; embed/sentiment has several.
type Scorer interface {
	Score(ctx context.Context, texts []string, out []float64) error
}

// Options say how a log is made. Dir and Types are needed; the zero value of all else means its default.
type Options struct {
	// Dir is the folder in which spill files are kept until the log is closed.
	Dir string
	// Types are the acts that count, at most MaxTypes; an event's type is its index here.
	Types []Type
	// Sentiment scores comments. Needed if a type is a comment.
	Sentiment Scorer

	// Memory bounds buffers, in bytes: from 64 KiB to 1 GiB, 256 MiB by default.
	Memory int64
	// MaxItems bounds the items; more are ErrLimit. 10 million by default.
	MaxItems int
	// MaxUserActs is the most acts of one user. 50,000 by default, at most 200,000.
	MaxUserActs int

	// DuplicateGap is the time within which an equal act is the same one again. 0 is 30
	// seconds, below 0 none.
	DuplicateGap time.Duration
	// PerMinute, PerHour and PerDay are the most acts that a person does. 0 is 120, 1,500 and 6,000; below 0
	// there is no such bound.
	PerMinute, PerHour, PerDay int

	// Seed decides the order of users.
	Seed uint64
}

// withDefaults returns the options with defaults filled in, or what is wrong with them.
func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		at    *int
		value int
	}{{&o.MaxItems, 10_000_000}, {&o.MaxUserActs, 50_000}, {&o.PerMinute, 120}, {&o.PerHour, 1500}, {&o.PerDay, 6000}} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.DuplicateGap == 0 {
		o.DuplicateGap = 30 * time.Second
	}
	return o, o.check()
}

func (o Options) check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, a...))
	}
	switch {
	case o.Dir == "":
		return bad("Dir is empty; name a folder for spill files")
	case o.Memory < spill.MinMemory || o.Memory > 1<<30:
		return bad("Memory is %d bytes; want %d to %d", o.Memory, spill.MinMemory, 1<<30)
	case o.MaxItems < 1 || int64(o.MaxItems) > math.MaxUint32:
		return bad("MaxItems is %d; want 1 to %d", o.MaxItems, uint32(math.MaxUint32))
	case o.MaxUserActs < 1 || o.MaxUserActs > 200_000:
		return bad("MaxUserActs is %d; want 1 to 200000", o.MaxUserActs)
	case len(o.Types) == 0 || len(o.Types) > MaxTypes:
		return bad("%d types; want 1 to %d", len(o.Types), MaxTypes)
	}
	names := map[string]bool{}
	for _, t := range o.Types {
		switch {
		case t.Name == "" || names[t.Name]:
			return bad("type %q is empty or stands twice", t.Name)
		case math.IsNaN(float64(t.Weight)) || math.IsInf(float64(t.Weight), 0):
			return bad("type %q weighs %v; want a finite number", t.Name, t.Weight)
		case (t.Least != 0 || t.Most != 0) && !(t.Least < t.Most && !math.IsInf(t.Most-t.Least, 0)):
			return bad("type %q has a scale from %v to %v; the first must be less", t.Name, t.Least, t.Most)
		case t.Comment && o.Sentiment == nil:
			return bad("type %q is a comment, but there is no Sentiment to weigh it; give a scorer, or leave Comment false", t.Name)
		}
		names[t.Name] = true
	}
	return nil
}

// weight is what an act of the type weighs, before its sentiment.
func (t Type) weight(value float64, has bool) float32 {
	if !has || t.Least == t.Most {
		return t.Weight
	}
	share := max(-1, min(1, 2*(value-t.Least)/(t.Most-t.Least)-1))
	return t.Weight * float32(share)
}
