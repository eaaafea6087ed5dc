package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
)

func write(t *testing.T, r *Registry, day int) bundle.Hash {
	t.Helper()
	b, err := r.Write(bundle.Manifest{Created: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)}, map[string]bundle.Payload{
		"w": func(w io.Writer) error { _, err := fmt.Fprint(w, day); return err },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Hash()
}

func open(t *testing.T, dir string, keep int) *Registry {
	t.Helper()
	r, err := Open(dir, Options{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func listed(t *testing.T, r *Registry) []bundle.Hash {
	t.Helper()
	list, err := r.List()
	if err != nil {
		t.Fatal(err)
	}
	var hashes []bundle.Hash
	for _, e := range list {
		hashes = append(hashes, e.Hash)
	}
	return hashes
}

func TestBundlesAreListedNewestFirstAndFoundByTheirFirstDigits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	r := open(t, dir, 0)
	if got := listed(t, r); len(got) != 0 {
		t.Errorf("an empty registry has %v", got)
	}
	a, c, b := write(t, r, 1), write(t, r, 3), write(t, r, 2)
	if got := listed(t, r); !slices.Equal(got, []bundle.Hash{c, b, a}) {
		t.Errorf("got %v", got)
	}
	if h, err := r.Find(string(b[:8])); h != b || err != nil {
		t.Errorf("%v %v", h, err)
	}
	for digits, want := range map[string]error{string(a[:5]): bundle.ErrInvalid, "../../x": bundle.ErrInvalid, strings.Repeat("0", 64): bundle.ErrNotFound} {
		if _, err := r.Find(digits); !errors.Is(err, want) {
			t.Errorf("%s: %v", digits, err)
		}
	}
	twin := filepath.Join(dir, string(a[:10])+strings.Repeat("f", 54))
	if err := os.Mkdir(twin, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find(string(a[:8])); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two begin so: %v", err)
	}
	list, err := r.List()
	if last := list[len(list)-1]; err != nil || last.Hash == a || !errors.Is(last.Err, bundle.ErrMissing) {
		t.Errorf("one that cannot be read: %v %v", last, err)
	}
	if _, _, err := r.Hold("x"); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("no hash: %v", err)
	}
}

func TestLeftoversAreRemovedAndOthersFilesAreNot(t *testing.T) {
	dir := t.TempDir()
	kept := write(t, open(t, dir, 0), 1)
	half := filepath.Join(dir, bundle.LeftoverPrefix+"123", "text")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, 0)
	if _, err := os.Stat(filepath.Dir(half)); !os.IsNotExist(err) {
		t.Error("the leftover is there:", err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	if got := listed(t, r); !slices.Equal(got, []bundle.Hash{kept}) {
		t.Errorf("got %v", got)
	}
}

func TestPruneKeepsTheNewestWhatServesAndWhatIsHeld(t *testing.T) {
	r := open(t, t.TempDir(), 2)
	var days []bundle.Hash
	for day := range 8 {
		days = append(days, write(t, r, day+1))
	}
	b, release, err := r.Hold(days[1])
	if err != nil || b.Hash() != days[1] {
		t.Fatal(err)
	}
	removed, err := r.Prune(days[0], days[3])
	slices.Sort(removed)
	want := []bundle.Hash{days[2], days[4], days[5]}
	slices.Sort(want)
	if err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %v, %v", removed, err)
	}
	if got := listed(t, r); !slices.Equal(got, []bundle.Hash{days[7], days[6], days[3], days[1], days[0]}) {
		t.Errorf("left %v", got)
	}
	release()
	release() // twice does no harm
	if removed, err = r.Prune(days[3]); err != nil || len(removed) != 2 {
		t.Errorf("after the release: %v, %v", removed, err)
	}
	if _, _, err := r.Hold(days[1]); !errors.Is(err, bundle.ErrNotFound) {
		t.Errorf("what was removed: %v", err)
	}
}

func TestReadersHoldersAndPruningGoTogether(t *testing.T) {
	r := open(t, t.TempDir(), 1)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 10 {
				h := write(t, r, 1+(worker*10+i)%28)
				b, release, err := r.Hold(h)
				if errors.Is(err, bundle.ErrNotFound) {
					continue // pruned between
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := r.Prune(); err != nil {
					t.Error(err)
				}
				if _, err := b.ReadFile("w"); err != nil {
					t.Error("held, and then:", err)
				}
				release()
			}
		})
	}
	wg.Wait()
}

func TestAReceivedBundleIsListed(t *testing.T) {
	from, to := open(t, t.TempDir(), 0), open(t, t.TempDir(), 0)
	h := write(t, from, 1)
	b, release, err := from.Hold(h)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var stream bytes.Buffer
	if err := b.Stream(&stream); err != nil {
		t.Fatal(err)
	}
	if got, err := to.Receive(&stream); err != nil || got.Hash() != h || !slices.Equal(listed(t, to), []bundle.Hash{h}) {
		t.Errorf("%v", err)
	}
	if m, err := to.Manifest(h); err != nil || m.Hash != h {
		t.Errorf("%v %v", m, err)
	}
}
