package shop

import (
	"testing"
	"time"
)

// lost is a directory that cannot be read.
type lost struct{ directory }

func (*lost) Unreadable() bool { return true }

// TestWhoCannotBeReadIsNotTakenForANewcomer: the reply has to say that it comes from a lower
// tier because the profile could not be read.
func TestWhoCannotBeReadIsNotTakenForANewcomer(t *testing.T) {
	s := &Shop{log: &lost{}, numbers: newNumbers(10)}
	for subject, unread := range map[Subject]bool{{User: "ann"}: true, {Session: "s"}: true, {User: "ann", Session: "s"}: true, {}: false} {
		var p person
		s.know(&p, subject, nil, time.Time{})
		if p.unread != unread {
			t.Errorf("%+v: unread is %v", subject, p.unread)
		}
	}
}
