package store

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// unpack puts the files of an archive of testdata into a new directory.
func unpack(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir, r := t.TempDir(), tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(h.Name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAStoreOfForm1IsBroughtForward opens a directory that the release before the forms
// wrote: three items, the events of two persons, a merge, a profile, an erase and a key.
func TestAStoreOfForm1IsBroughtForward(t *testing.T) {
	dir := unpack(t, "form1.tar.gz")
	for range 2 { // the second time it is of the new form
		s, err := Open(dir, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if now, made, err := s.SchemaOf(); now != Schema || made != 1 || err != nil {
			t.Errorf("form %d, made in %d, %v", now, made, err)
		}
		tenant, err := s.Tenant("shop")
		if err != nil {
			t.Fatal(err)
		}
		ann, _ := tenant.UserNumber("ann", "")
		merged, _ := tenant.UserNumber("", "s2")
		if ann == 0 || merged != ann {
			t.Errorf("ann is %d, her session's user %d", ann, merged)
		}
		events, err := tenant.History(ann, 0, 9)
		if err != nil || len(events) != 3 || events[0].ID != "e3" || events[2].Item != "pen" {
			t.Errorf("history %+v, %v", events, err)
		}
		if _, known := tenant.UserNumber("cid", ""); known {
			t.Error("the erased person is known")
		}
		size, err := tenant.Size()
		if err != nil || size.Items != 1 || size.ItemNumbers != 3 {
			t.Errorf("size %+v, %v", size, err)
		}
		if tenant.Settings().Currency != "EUR" {
			t.Errorf("settings %+v", tenant.Settings())
		}
		if keys, err := s.Keys(t.Context(), ""); err != nil || len(keys) != 1 || keys[0].Name != "old" {
			t.Errorf("keys %v, %v", keys, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAStoreOfForm2IsBroughtForward opens a directory that the last release of that form
// wrote: three items, an event and two decisions, which have expired since or will.
func TestAStoreOfForm2IsBroughtForward(t *testing.T) {
	s, err := Open(unpack(t, "form2.tar.gz"), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if now, made, err := s.SchemaOf(); now != Schema || made != 2 || err != nil {
		t.Errorf("form %d, made in %d, %v", now, made, err)
	}
	tenant, err := s.Tenant("default")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := tenant.Size(); err != nil || size.Items != 3 {
		t.Errorf("size %+v, %v", size, err)
	}
	if ann, known := tenant.UserNumber("ann", ""); !known || ann == 0 {
		t.Error("ann is not known")
	}
}

func TestANewStoreHasTheFormOfThisRelease(t *testing.T) {
	s, _ := openTest(t, t.TempDir(), testOptions())
	if now, made, err := s.SchemaOf(); now != Schema || made != Schema || err != nil {
		t.Errorf("form %d, made in %d, %v", now, made, err)
	}
}

func TestAStoreOfANewerFormIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, _ := openTest(t, dir, testOptions())
	v, err := encode(valueOther, &storepb.Schema{Version: Schema + 1, Made: Schema})
	if err != nil {
		t.Fatal(err)
	}
	damage(t, s, prefixKey(0, kindSchema), v)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, testOptions())
	if !errors.Is(err, record.ErrNewer) || !strings.Contains(err.Error(), fmt.Sprintf("has form %d, this release reads up to %d", Schema+1, Schema)) {
		t.Errorf("opened a store of a newer form: %v", err)
	}
}
