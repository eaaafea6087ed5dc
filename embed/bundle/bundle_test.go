package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func text(s string) Payload {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// about is a manifest with everything in it.
func about() Manifest {
	return Manifest{
		Created: time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC), TextEncoder: Space{"static/1", 256}, BehaviourDim: 64,
		Data: DataRange{
			First: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Last: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
			LogHead: 99, Users: 10, Items: 20, Events: 300, SetAside: 4,
		},
		Code:       Code{Module: "example.org/m", Revision: "abc", Go: "go1.26"},
		Parameters: []Parameter{{"layers", "2"}},
		Metrics:    []Metric{{"ndcg_at_10", "test", 0.125, 1}},
		Parent:     Hash(strings.Repeat("ab", 32)),
	}
}

var content = map[string]string{BehaviourFile: strings.Repeat("weights ", 900), ItemsFile: "a\nb\n", "text/vocab.txt": "", "text/deep/er/x.bin": "\x00\x01"}

func payloads() map[string]Payload {
	all := map[string]Payload{}
	for name, c := range content {
		all[name] = text(c)
	}
	return all
}

func made(t *testing.T, root string) *Bundle {
	t.Helper()
	b, err := Write(root, about(), payloads(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names lists all files under a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			list = append(list, path[len(dir)+1:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	root := t.TempDir()
	b := made(t, root)
	again, err := Open(filepath.Join(root, string(b.Hash())), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := about()
	want.Format, want.Hash, want.Created = Format, b.Hash(), want.Created.Truncate(time.Second)
	want.Files = again.Manifest().Files
	if d := cmp.Diff(want, again.Manifest()); d != "" {
		t.Error(d)
	}
	if len(want.Files) != len(content) || want.Bytes() != int64(8*900+4+2) {
		t.Errorf("files %v", want.Files)
	}
	for name, c := range content {
		raw, err := again.ReadFile(name)
		if err != nil || string(raw) != c {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
	if _, err := again.ReadFile(RankerFile); !errors.Is(err, ErrNotFound) || again.Has(RankerFile) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Open(filepath.Join(root, strings.Repeat("0", 64)), Limits{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no bundle: %v", err)
	}
}

func TestEqualContentHasOneNameAndOtherContentAnother(t *testing.T) {
	root := t.TempDir()
	first := made(t, root)
	if again := made(t, root); again.Hash() != first.Hash() {
		t.Errorf("%s, then %s", first.Hash(), again.Hash())
	}
	seen := map[Hash]string{first.Hash(): "the first"}
	for what, edit := range map[string]func(*Manifest, map[string]Payload){
		"a byte":   func(_ *Manifest, p map[string]Payload) { p[ItemsFile] = text("a\nc\n") },
		"a name":   func(_ *Manifest, p map[string]Payload) { p["other"] = p[ItemsFile]; delete(p, ItemsFile) },
		"metric":   func(m *Manifest, _ map[string]Payload) { m.Metrics[0].Value = 0.25 },
		"parent":   func(m *Manifest, _ map[string]Payload) { m.Parent = "" },
		"encoder":  func(m *Manifest, _ map[string]Payload) { m.TextEncoder.Name = "static/2" },
		"the time": func(m *Manifest, _ map[string]Payload) { m.Created = m.Created.Add(time.Second) },
	} {
		m, p := about(), payloads()
		edit(&m, p)
		b, err := Write(root, m, p, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[b.Hash()]; ok {
			t.Errorf("%s and %s have one hash", what, other)
		}
		seen[b.Hash()] = what
	}
	for _, name := range names(t, root) {
		if IsLeftover(name) {
			t.Errorf("%s is left", name)
		}
	}
}

func TestConcurrentWritesOfOneBundleAgree(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := Write(root, about(), payloads(), Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestEachKindOfDamageIsRefusedByName(t *testing.T) {
	path := func(b *Bundle, name string) string { return filepath.Join(b.Dir(), name) }
	edit := func(t *testing.T, file string, change func([]byte) []byte) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, change(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 4; return b } }
	for what, c := range map[string]struct {
		hurt func(*testing.T, *Bundle)
		want error
		says string
	}{
		"a file is missing":       {func(_ *testing.T, b *Bundle) { os.Remove(path(b, ItemsFile)) }, ErrMissing, ItemsFile},
		"the manifest is missing": {func(_ *testing.T, b *Bundle) { os.Remove(path(b, ManifestFile)) }, ErrMissing, ManifestFile},
		"a flipped bit":           {func(t *testing.T, b *Bundle) { edit(t, path(b, BehaviourFile), flip(3000)) }, ErrHash, BehaviourFile},
		"extra bytes": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, ItemsFile), func(r []byte) []byte { return append(r, 'x') })
		}, ErrSize, ItemsFile},
		"cut off": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, BehaviourFile), func(r []byte) []byte { return r[:99] })
		}, ErrSize, BehaviourFile},
		"a further file":   {func(t *testing.T, b *Bundle) { os.WriteFile(path(b, "more.bin"), nil, 0o600) }, ErrUnlisted, "more.bin"},
		"a further folder": {func(t *testing.T, b *Bundle) { os.Mkdir(path(b, "more"), 0o700) }, ErrUnlisted, "more"},
		"a link in a file's place": {func(t *testing.T, b *Bundle) {
			os.Remove(path(b, ItemsFile))
			os.Symlink("/etc/passwd", path(b, ItemsFile))
		}, ErrUnlisted, ItemsFile},
		"a bit of the manifest": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, ManifestFile), func(r []byte) []byte { return bytes.Replace(r, []byte("300"), []byte("301"), 1) })
		}, ErrHash, "manifest"},
		"a space in the manifest": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, ManifestFile), func(r []byte) []byte { return append(r, ' ') })
		}, ErrHash, "manifest"},
		"no JSON": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, ManifestFile), func([]byte) []byte { return []byte("{") })
		}, ErrManifest, "JSON"},
		"an unknown field": {func(t *testing.T, b *Bundle) {
			edit(t, path(b, ManifestFile), func(r []byte) []byte { return append([]byte(`{"new": 1,`), r[1:]...) })
		}, ErrManifest, "new"},
	} {
		t.Run(what, func(t *testing.T) {
			b := made(t, t.TempDir())
			c.hurt(t, b)
			_, err := Open(b.Dir(), Limits{})
			if !errors.Is(err, c.want) || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), b.Hash().Short()) {
				t.Errorf("got %v, want %v that says %q", err, c.want, c.says)
			}
		})
	}
	t.Run("another name", func(t *testing.T) {
		b := made(t, t.TempDir())
		other := filepath.Join(filepath.Dir(b.Dir()), strings.Repeat("0", 64))
		os.Rename(b.Dir(), other)
		if _, err := Open(other, Limits{}); !errors.Is(err, ErrHash) {
			t.Error(err)
		}
	})
	t.Run("after it was opened", func(t *testing.T) {
		b := made(t, t.TempDir())
		edit(t, path(b, BehaviourFile), flip(0))
		if _, err := b.ReadFile(BehaviourFile); !errors.Is(err, ErrHash) {
			t.Errorf("read as %v", err)
		}
		if err := b.Stream(io.Discard); !errors.Is(err, ErrHash) {
			t.Errorf("streamed as %v", err)
		}
		if again := made(t, filepath.Dir(b.Dir())); again.Hash() != b.Hash() {
			t.Error("another hash")
		}
		if _, err := Open(b.Dir(), Limits{}); err != nil {
			t.Errorf("writing it again did not mend it: %v", err)
		}
	})
}

func TestANewerFormatAndWhatIsTooLargeAreRefusedBeforeAnythingIsRead(t *testing.T) {
	b := made(t, t.TempDir())
	file := filepath.Join(b.Dir(), ManifestFile)
	if err := os.WriteFile(file, []byte(`{"format": 2, "weights": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.Dir(), Limits{}); !errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) {
		t.Errorf("newer: %v", err)
	}
	if err := os.Truncate(file, 1<<40); err != nil { // a hole
		t.Fatal(err)
	}
	if _, err := Open(b.Dir(), Limits{}); !errors.Is(err, ErrLimit) {
		t.Errorf("a huge manifest: %v", err)
	}
	b = made(t, t.TempDir())
	if _, err := Open(b.Dir(), Limits{Bytes: 100}); !errors.Is(err, ErrLimit) {
		t.Errorf("a small bound: %v", err)
	}
	var stream bytes.Buffer
	if err := b.Stream(&stream); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if _, err := Receive(root, &stream, Limits{Bytes: 100}); !errors.Is(err, ErrLimit) || len(names(t, root)) > 0 {
		t.Errorf("received: %v, left %v", err, names(t, root))
	}
	if _, err := Write(root, about(), payloads(), Limits{Bytes: 100}); !errors.Is(err, ErrLimit) || len(names(t, root)) > 0 {
		t.Errorf("written: %v, left %v", err, names(t, root))
	}
}

func TestMalformedManifestsAndNamesAreNotWritten(t *testing.T) {
	for what, edit := range map[string]func(*Manifest, map[string]Payload){
		"no time":        func(m *Manifest, _ map[string]Payload) { m.Created = time.Time{} },
		"NaN":            func(m *Manifest, _ map[string]Payload) { m.Metrics[0].Value = math.NaN() },
		"dimension":      func(m *Manifest, _ map[string]Payload) { m.BehaviourDim = -1 },
		"parent":         func(m *Manifest, _ map[string]Payload) { m.Parent = "x" },
		"long text":      func(m *Manifest, _ map[string]Payload) { m.Parameters[0].Value = strings.Repeat("x", 600) },
		"a path upwards": func(_ *Manifest, p map[string]Payload) { p["../x"] = text("") },
		"an absolute":    func(_ *Manifest, p map[string]Payload) { p["/x"] = text("") },
		"a hidden":       func(_ *Manifest, p map[string]Payload) { p[".x"] = text("") },
		"the manifest":   func(_ *Manifest, p map[string]Payload) { p["Manifest.json"] = text("") },
		"a backslash":    func(_ *Manifest, p map[string]Payload) { p[`a\b`] = text("") },
		"many": func(_ *Manifest, p map[string]Payload) {
			for i := range 70 {
				p[fmt.Sprint(i)] = text("")
			}
		},
	} {
		m, p, root := about(), payloads(), t.TempDir()
		edit(&m, p)
		if _, err := Write(root, m, p, Limits{}); !errors.Is(err, ErrInvalid) || len(names(t, root)) > 0 {
			t.Errorf("%s: %v, left %v", what, err, names(t, root))
		}
	}
	failing := errors.New("no weights")
	root, p := t.TempDir(), payloads()
	p[BehaviourFile] = func(io.Writer) error { return failing }
	if _, err := Write(root, about(), p, Limits{}); !errors.Is(err, failing) || len(names(t, root)) > 0 {
		t.Errorf("%v, left %v", err, names(t, root))
	}
}

func TestAStreamCarriesABundle(t *testing.T) {
	b := made(t, t.TempDir())
	var stream bytes.Buffer
	if err := b.Stream(&stream); err != nil {
		t.Fatal(err)
	}
	raw := stream.Bytes()
	root := t.TempDir()
	got, err := Receive(root, bytes.NewReader(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.Manifest(), got.Manifest()); d != "" {
		t.Error(d)
	}
	if _, err := Open(got.Dir(), Limits{}); err != nil {
		t.Error(err)
	}
	// Wherever it is cut off, or a bit of what counts is flipped, nothing is left.
	for at := 0; at < len(raw)-1024; at += 173 {
		bare := t.TempDir()
		if _, err := Receive(bare, bytes.NewReader(raw[:at]), Limits{}); err == nil || len(names(t, bare)) > 0 {
			t.Fatalf("cut off at %d: %v, left %v", at, err, names(t, bare))
		}
		broken := errors.New("the line broke")
		if _, err := Receive(bare, io.MultiReader(bytes.NewReader(raw[:at]), failingReader{broken}), Limits{}); !errors.Is(err, broken) {
			t.Fatalf("the line broke at %d: %v", at, err)
		}
		hurt := slices.Clone(raw)
		hurt[at] ^= 1
		if b, err := Receive(bare, bytes.NewReader(hurt), Limits{}); err == nil {
			// Times, modes and padding of the archive say nothing.
			if d := cmp.Diff(got.Manifest(), b.Manifest()); d != "" {
				t.Fatalf("flipped at %d: %s", at, d)
			}
		} else if len(names(t, bare)) > 0 {
			t.Fatalf("flipped at %d: left %v", at, names(t, bare))
		}
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// archive makes a tar file of entries whose first is the bundle's manifest.
func archive(t *testing.T, b *Bundle, entries ...tar.Header) io.Reader {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	raw, err := os.ReadFile(filepath.Join(b.Dir(), ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	entries = append([]tar.Header{{Name: ManifestFile, Typeflag: tar.TypeReg, Size: int64(len(raw))}}, entries...)
	for i := range entries {
		body := raw
		if i > 0 {
			body = make([]byte, entries[i].Size)
			if c, ok := content[entries[i].Name]; ok && int64(len(c)) == entries[i].Size {
				body = []byte(c)
			}
		}
		if err := w.WriteHeader(&entries[i]); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body[:entries[i].Size]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return &out
}

func TestArchivesThatLeadElsewhereAreRefused(t *testing.T) {
	b := made(t, t.TempDir())
	good := []tar.Header{}
	for _, f := range b.Manifest().Files {
		good = append(good, tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Size: f.Size})
	}
	root := filepath.Join(t.TempDir(), "in")
	if _, err := Receive(root, archive(t, b, good...), Limits{}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		entries []tar.Header
		want    error
	}{
		"upwards":     {append([]tar.Header{{Name: "../evil", Typeflag: tar.TypeReg}}, good...), ErrUnlisted},
		"absolute":    {append([]tar.Header{{Name: "/tmp/evil", Typeflag: tar.TypeReg}}, good...), ErrUnlisted},
		"a link":      {append([]tar.Header{{Name: good[0].Name, Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, good...), ErrUnlisted},
		"a folder":    {append([]tar.Header{{Name: "text", Typeflag: tar.TypeDir}}, good...), ErrUnlisted},
		"a file more": {append(slices.Clone(good), tar.Header{Name: "z", Typeflag: tar.TypeReg}), ErrUnlisted},
		"a file less": {good[:len(good)-1], ErrMissing},
		"other bytes": {append([]tar.Header{{Name: good[0].Name, Typeflag: tar.TypeReg, Size: good[0].Size + 1}}, good[1:]...), ErrSize},
	} {
		parent := t.TempDir()
		if _, err := Receive(filepath.Join(parent, "in"), archive(t, b, c.entries...), Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if left := names(t, parent); !slices.Equal(left, []string{"in"}) && len(left) > 0 {
			t.Errorf("%s: left %v", what, left)
		}
	}
}

func TestItemIDsKeepTheirOrderAndFormIsChecked(t *testing.T) {
	var out bytes.Buffer
	ids := []string{"b", "a", "é ü", strings.Repeat("x", 128)}
	if err := WriteItems(&out, ids); err != nil {
		t.Fatal(err)
	}
	got, err := ReadItems(bytes.NewReader(out.Bytes()), 4)
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ReadItems(bytes.NewReader(out.Bytes()), 3); !errors.Is(err, ErrLimit) {
		t.Errorf("more than are taken: %v", err)
	}
	for _, bad := range []string{"", "a\nb", "\x01", "\xff", strings.Repeat("x", 129)} {
		if err := WriteItems(io.Discard, []string{bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"a\n\nb\n", "a\na\n", "a\n" + strings.Repeat("y", 5000)} {
		if _, err := ReadItems(strings.NewReader(bad), 9); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}

func TestThisBuildNamesTheProgram(t *testing.T) {
	if c := ThisBuild(); c.Go == "" {
		t.Errorf("%+v", c)
	}
}

func FuzzReceive(f *testing.F) {
	root := f.TempDir()
	b, err := Write(root, about(), payloads(), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	var stream bytes.Buffer
	if err := b.Stream(&stream); err != nil {
		f.Fatal(err)
	}
	f.Add(stream.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		parent := t.TempDir()
		b, err := Receive(filepath.Join(parent, "in"), bytes.NewReader(raw), Limits{Bytes: 1 << 20})
		if err == nil {
			if _, err := Open(b.Dir(), Limits{}); err != nil {
				t.Error("received, and then:", err)
			}
			return
		}
		if left := names(t, parent); len(left) > 0 && !slices.Equal(left, []string{"in"}) {
			t.Error("left", left)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := about()
	m.Format = Format
	m.normalize()
	raw, err := m.seal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parse(raw, Limits{}.withDefaults())
		if err != nil {
			return
		}
		var again Manifest
		if err := json.Unmarshal(raw, &again); err != nil || again.Hash != m.Hash {
			t.Errorf("%v %v", again.Hash, err)
		}
	})
}
