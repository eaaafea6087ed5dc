package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string, options Options) *Log {
	t.Helper()
	l, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func begin(t *testing.T, l *Log, e Entry) int64 {
	t.Helper()
	id, err := l.Begin(e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func list(t *testing.T, l *Log, tenant string, before int64, limit int) ([]Entry, int64) {
	t.Helper()
	entries, next, err := l.List(tenant, before, limit)
	if err != nil {
		t.Fatal(err)
	}
	return entries, next
}

func TestActsOutliveTheProcessAndTellWhatWasCutShort(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	at := time.Unix(1700000000, 5).UTC()
	first := begin(t, l, Entry{Time: at, Tenant: "shop", KeyID: "abc", Role: "admin", Method: "/s/CreateKey", Target: "key x", Peer: "127.0.0.1:1"})
	if err := l.End("shop", first, "OK", 3*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	begin(t, l, Entry{Time: at, Tenant: "shop", Method: "/s/Promote"}) // the process ends before the act
	begin(t, l, Entry{Time: at, Tenant: "other", Method: "/s/Theirs"})

	path := filepath.Join(dir, "shop.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"id":3,"method":"/s/Half`) // and in the middle of a line
	f.Close()

	l = open(t, dir, Options{})
	begin(t, l, Entry{Time: at, Tenant: "shop", Method: "/s/After"})
	got, next := list(t, l, "shop", 0, 10)
	if len(got) != 3 || next != 0 {
		t.Fatalf("%d entries, next %d: %+v", len(got), next, got)
	}
	want := Entry{
		ID: 1, Time: at, Tenant: "shop", KeyID: "abc", Role: "admin", Method: "/s/CreateKey", Target: "key x", Peer: "127.0.0.1:1",
		Code: "OK", Duration: 3 * time.Millisecond,
	}
	if got[2] != want {
		t.Errorf("got %+v\nwant %+v", got[2], want)
	}
	if got[1].Method != "/s/Promote" || got[1].Code != "" {
		t.Errorf("an act that was cut short: %+v", got[1])
	}
	if got[0].Method != "/s/After" || got[0].ID <= got[1].ID {
		t.Errorf("the act after a restart: %+v", got[0])
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the log: %v %v", info.Mode(), err)
	}
}

func TestListingGoesPageByPageOverEachActOnce(t *testing.T) {
	l := open(t, t.TempDir(), Options{NoSync: true})
	for i := range 25 {
		begin(t, l, Entry{Tenant: "shop", Target: fmt.Sprint(i)})
	}
	var seen []string
	for before := int64(0); ; {
		page, next := list(t, l, "shop", before, 10)
		for _, e := range page {
			seen = append(seen, e.Target)
		}
		if before = next; next == 0 {
			break
		}
	}
	if len(seen) != 25 || seen[0] != "24" || seen[24] != "0" {
		t.Errorf("%d acts: %v", len(seen), seen)
	}
}

func TestSizeIsBoundedAndTheNewestHalfStays(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{NoSync: true, MaxBytes: 16 << 10})
	begin(t, l, Entry{Tenant: "quiet", Method: "/s/Once"})
	for i := range 1000 {
		id := begin(t, l, Entry{Tenant: "busy", Target: strings.Repeat("x", i%maxText)})
		if err := l.End("busy", id, "OK", 0); err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		for _, old := range []bool{true, false} {
			if info, err := os.Stat(l.path("busy", old)); err == nil {
				size += info.Size()
			}
		}
		if size > 16<<10 {
			t.Fatalf("after %d acts the files have %d bytes", i, size)
		}
	}
	got, _ := list(t, l, "busy", 0, 1000)
	if len(got) < 10 || got[0].ID != 1000 || got[0].Code != "OK" {
		t.Errorf("%d acts are left, the newest %+v", len(got), got[0])
	}
	if quiet, _ := list(t, l, "quiet", 0, 10); len(quiet) != 1 {
		t.Error("one tenant's acts push out another's")
	}
	// A new process goes on with the ids although the first ones are gone.
	l = open(t, dir, Options{NoSync: true, MaxBytes: 16 << 10})
	if id := begin(t, l, Entry{Tenant: "busy"}); id != 1001 {
		t.Errorf("id %d after a restart", id)
	}
}

func TestSecretsAreCutOut(t *testing.T) {
	l := open(t, t.TempDir(), Options{NoSync: true})
	secret := strings.Repeat("s", 52)
	begin(t, l, Entry{Tenant: "shop", Target: "key kd_abcdefghijklmnop_" + secret + " and more " + strings.Repeat("é", 1000)})
	got, _ := list(t, l, "shop", 0, 1)
	if strings.Contains(got[0].Target, secret) || !strings.HasPrefix(got[0].Target, "key kd_abcdefghijklmnop_(secret) and") {
		t.Errorf("target %q", got[0].Target)
	}
	if len(got[0].Target) > maxText+8 {
		t.Errorf("a target of %d bytes", len(got[0].Target))
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	if err := os.Mkdir(filepath.Join(dir, "shop.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	if id, err := l.Begin(Entry{Tenant: "shop"}); err == nil {
		t.Errorf("an act with id %d is said to be written", id)
	}
	if _, err := Open(dir, Options{MaxBytes: 10}); err == nil {
		t.Error("a bound of 10 bytes is taken")
	}
}

func TestManyActsAtOnceHaveTheirOwnIDs(t *testing.T) {
	l := open(t, t.TempDir(), Options{NoSync: true})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				id, err := l.Begin(Entry{Tenant: "shop"})
				if err == nil {
					err = l.End("shop", id, "OK", 0)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, _ := list(t, l, "shop", 0, 1000)
	if len(got) != 400 || got[0].ID != 400 || got[399].ID != 1 {
		t.Fatalf("%d acts", len(got))
	}
	for _, e := range got {
		if e.Code != "OK" {
			t.Fatalf("act %d has no outcome", e.ID)
		}
	}
}
