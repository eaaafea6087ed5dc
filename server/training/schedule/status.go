package schedule

import "time"

// Outcome says how a training ended.
type Outcome uint8

// The outcomes.
const (
	None      Outcome = iota // none has ended
	Promoted                 // its model was promoted
	Kept                     // its model is kept and was not promoted
	TooLittle                // there is too little to train on
	Failed
)

// String is the outcome in a word or two.
func (o Outcome) String() string {
	switch o {
	case Promoted:
		return "promoted"
	case Kept:
		return "kept"
	case TooLittle:
		return "too little"
	case Failed:
		return "failed"
	}
	return "none"
}

// Status says how training of a tenant goes, since the start of the service.
type Status struct {
	Running bool
	Start   time.Time // of the one under way, or of the last; zero: there was none
	End     time.Time // of the last
	Outcome Outcome   // of the last
	Reason  string    // why it is so; empty for Promoted
	Model   string    // hash of the bundle that the last one made; empty: none
	Next    time.Time // not before this time is the next one begun; zero: any time
	// Failures is how many failed in a row.
	Failures int
}

// Exit codes of a child.
const (
	ExitTooLittle = 4 // too little to train on
	ExitKept      = 5 // the model is kept and was not promoted
)
