package shop

import (
	"fmt"
	"testing"
)

// directory is a log of which only the numbers are asked.
type directory struct {
	Log
	number map[string]uint64
	during func() // runs between the reading of a number and its return
	reads  int
}

func (d *directory) UserNumber(user, session string) (uint64, bool) {
	d.reads++
	n, ok := d.number[user+"|"+session]
	if d.during != nil {
		d.during()
	}
	return n, ok
}

func TestNumbersAreReadOnceUntilTheyMayHaveChanged(t *testing.T) {
	d := &directory{number: map[string]uint64{"ann|": 1, "|ann": 2}}
	s := &Shop{log: d, numbers: newNumbers(1000)}
	ask := func(user, session string, want uint64) {
		t.Helper()
		if got, ok := s.userNumber(user, session); got != want || ok != (want != 0) {
			t.Fatalf("%q, %q: %d, %v, want %d", user, session, got, ok, want)
		}
	}
	for range 3 {
		ask("ann", "", 1) // a user and a session of one id are two
		ask("", "ann", 2)
	}
	if d.reads != 2 {
		t.Errorf("%d reads, want 2", d.reads)
	}
	ask("bob", "", 0)
	d.number["bob|"] = 3
	ask("bob", "", 3) // who is unknown is asked for every time
	d.number["|ann"] = 1
	s.numbers.forget()
	ask("", "ann", 1)
}

func TestANumberReadBeforeAMergeIsNotTakenInAfterIt(t *testing.T) {
	d := &directory{number: map[string]uint64{"|s": 1}}
	s := &Shop{log: d, numbers: newNumbers(1000)}
	d.during = func() { d.number["|s"] = 9; s.numbers.forget() } // the merge lands meanwhile
	s.userNumber("", "s")
	d.during = nil
	if got, _ := s.userNumber("", "s"); got != 9 {
		t.Errorf("number %d after the merge, want 9", got)
	}
}

func TestNumbersAreBounded(t *testing.T) {
	d := &directory{number: map[string]uint64{}}
	s := &Shop{log: d, numbers: newNumbers(64)}
	for i := range 10_000 {
		id := fmt.Sprint("u", i)
		d.number[id+"|"] = uint64(i + 1)
		s.userNumber(id, "")
	}
	held := 0
	for i := range s.numbers.shards {
		held += len(s.numbers.shards[i].users)
	}
	if held == 0 || held > 64 {
		t.Errorf("%d numbers held, want 1 to 64", held)
	}
}
