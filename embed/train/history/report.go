package history

import (
	"fmt"
	"time"
)

// Report says what became of a stream. Every act read is counted in Kept or in one of the
// reasons: Read = Kept + Incomplete + Untyped + OversizedActs + DuplicateIDs + RobotActs + DuplicateActs.
type Report struct {
	Read int64 // acts of the stream
	Kept int64 // events of the log

	Incomplete    int64 // without a user or an item
	Untyped       int64 // of a type that is not in Options.Types
	OversizedActs int64 // of users with too many acts
	DuplicateIDs  int64 // with an id that the user's earlier act has
	RobotActs     int64 // of robots, after duplicate ids were left out
	DuplicateActs int64 // the same again within the gap

	Users     int64 // with a history
	Oversized int64 // users set aside for too many acts
	Robots    int64 // users set aside for their rate
	Items     int64 // that acts named, kept ones or not
	Seen      int64 // that are in a history

	Repelling int64 // events kept that weigh less than 0
	Untimed   int64 // events kept without a real time
	Comments  int64 // texts whose sentiment was scored

	First, Last time.Time // of the kept events with a real time; zero: there is none
	Head        uint64    // the largest Act.Seq read

	Runs    int   // sorted runs that were written
	Spilled int64 // bytes written to spill files, the log itself included
}

// String is the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d acts: %d events of %d users on %d items kept; set aside: %d incomplete, %d of other types, %d with known ids, %d repeated, %d of %d robots, %d of %d users with too many",
		r.Read, r.Kept, r.Users, r.Seen, r.Incomplete, r.Untyped, r.DuplicateIDs, r.DuplicateActs, r.RobotActs, r.Robots, r.OversizedActs, r.Oversized)
	if !r.First.IsZero() {
		s += fmt.Sprintf("; from %s to %s", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	return s
}
