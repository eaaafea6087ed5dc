package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
)

// allRows are the rows of a store but for what a restore makes anew.
func allRows(t *testing.T, s *Store) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	err := s.view(func(txn *badger.Txn) error {
		return scan(txn, []byte{}, nil, func(key, v []byte) error {
			if kind := key[prefixLen-1]; key[3] != 0 || kind != kindRemoved && kind != kindIdentity {
				rows[string(key)] = string(v)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func sameRows(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("row %q of kind %c: there is %v, equal %v", k, k[prefixLen-1], ok, g == v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("row %q of kind %c came back", k, k[prefixLen-1])
		}
	}
}

// errBroken breaks a dump off.
var errBroken = errors.New("broken off")

// dumpTo appends a dump to a file. most frames are taken before it breaks off; -1: all.
func dumpTo(t *testing.T, s *Store, out *bytes.Buffer, since Point, floors []Floor, most int) (at Snapshot, next []byte) {
	t.Helper()
	err := s.Dump(context.Background(), since, floors, func(sn Snapshot) error { at = sn; return nil }, func(f Frame) error {
		if most == 0 {
			return errBroken
		}
		most--
		out.Write(f.Bytes)
		next = append([]byte(nil), f.Next...)
		return nil
	})
	if err != nil && !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	return at, next
}

// churn makes a change of any kind.
func churn(t *testing.T, tenant *Tenant, r *rand.Rand, n int) {
	t.Helper()
	user, item := fmt.Sprint("user", r.IntN(12)), fmt.Sprint("item", r.IntN(20))
	m := view(fmt.Sprint("e", n), user, item)
	m.Event.Text = string(bytes.Repeat([]byte{'x'}, r.IntN(300)))
	switch r.IntN(12) {
	case 0:
		m = record.Mutation{Item: &record.Item{ID: item, Title: fmt.Sprint("title ", n)}}
	case 1:
		m = record.Mutation{Delete: &record.Delete{ID: item}}
	case 2:
		m = record.Mutation{Profile: &record.Profile{User: user, OptOut: r.IntN(2) == 0}}
	case 3:
		m.Event.User, m.Event.Session = "", fmt.Sprint("session", r.IntN(12))
	case 4:
		m = record.Mutation{Merge: &record.Merge{Session: fmt.Sprint("session", r.IntN(12)), User: user}}
	case 5:
		m = record.Mutation{Erase: &record.Erase{User: user}}
	case 6:
		if err := tenant.PutCheckpoint("counts", tenant.Head().Seq, func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte{byte(n)}, r.IntN(2*chunkSize)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	case 7:
		number, _ := tenant.UserNumber(user, "")
		at := time.Now()
		if err := tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(at, r.Uint64()), Time: at, UserNumber: number}}); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, tenant, m)
}

// TestDumpsAddUpToTheStore restores chains of dumps, some of them broken off and gone on
// with, from a store whose removals Badger has forgotten meanwhile.
func TestDumpsAddUpToTheStore(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, tenant := openTest(t, t.TempDir(), testOptions())
		var out bytes.Buffer
		var since Point
		n := 0
		for range 4 {
			var floors []Floor
			for broken := true; broken; {
				for range 250 {
					churn(t, tenant, r, n)
					n++
				}
				if r.IntN(2) == 0 {
					if err := s.Compact(); err != nil {
						t.Fatal(err)
					}
				}
				most := -1
				if len(floors) < 2 {
					most = r.IntN(3)
				}
				at, next := dumpTo(t, s, &out, since, floors, most)
				if broken = len(next) > 0; broken {
					floors = above(floors, next, at.Version)
				} else if most != 0 {
					since = at.Point
				} else {
					broken = true
				}
			}
		}
		dir := t.TempDir()
		if err := Load(dir, testOptions(), true, bytes.NewReader(out.Bytes())); err != nil {
			t.Fatal(err)
		}
		restored, _ := openTest(t, dir, testOptions())
		sameRows(t, allRows(t, restored), allRows(t, s))
		if restored.epoch == s.epoch || restored.secret != s.secret {
			t.Error("a restored store has another epoch and the same secrets")
		}
	}
}

// above is the floors after a call that came up to a key.
func above(floors []Floor, next []byte, version uint64) []Floor {
	out := []Floor{{Until: next, Version: version}}
	for _, f := range floors {
		if bytes.Compare(f.Until, next) > 0 {
			out = append(out, f)
		}
	}
	return out
}

func TestADumpIsRefusedWhereItCannotAddUp(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	mustAppend(t, tenant, view("a", "ann", "i1"))
	var out bytes.Buffer
	at, _ := dumpTo(t, s, &out, Point{}, nil, -1)
	for name, c := range map[string]struct {
		since  Point
		floors []Floor
		want   error
	}{
		"another store's":   {Point{at.Epoch + 2, at.Version, at.Time}, nil, record.ErrConflict},
		"another past's":    {Point{at.Epoch, at.Version + 100, at.Time}, nil, record.ErrConflict},
		"too old":           {Point{at.Epoch, at.Version, at.Time.Add(-changesAge - time.Hour)}, nil, record.ErrExpired},
		"floors that fall":  {Point{}, []Floor{{[]byte("b"), 1}, {[]byte("a"), 1}}, record.ErrInvalid},
		"a floor below it":  {at.Point, []Floor{{[]byte("b"), at.Version - 1}}, record.ErrInvalid},
		"a floor of no key": {Point{}, []Floor{{nil, 1}}, record.ErrInvalid},
	} {
		err := s.Dump(t.Context(), c.since, c.floors, func(Snapshot) error { return nil }, func(Frame) error { return nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadRefusesWhatIsNoDump(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	mustAppend(t, tenant, view("a", "ann", "i1"))
	var out bytes.Buffer
	dumpTo(t, s, &out, Point{}, nil, -1)
	for name, b := range map[string][]byte{
		"cut off": out.Bytes()[:out.Len()-1], "a cut length": {1, 2}, "garbage": []byte("this is not a dump at all"),
	} {
		if err := Load(t.TempDir(), testOptions(), true, bytes.NewReader(b)); !errors.Is(err, record.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Load(s.dir, testOptions(), true, &out); !errors.Is(err, record.ErrExists) {
		t.Errorf("loaded over a store: %v", err)
	}
}
