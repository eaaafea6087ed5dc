package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/store"
)

// kindsOfRows names the kinds of a tenant's rows, as package store has them.
var kindsOfRows = map[byte]string{
	'H': "heads", 'L': "log", 'D': "event ids", 'E': "histories", 'U': "users", 'S': "sessions", 'N': "names", 'M': "merges", 'Q': "promotions",
	'P': "profiles", 'J': "item ids", 'G': "items", 'V': "decisions", 'X': "page lists", 'O': "owned", 'C': "checkpoints", 'B': "chunks", 'W': "vectors",
}

// kindsOfStore names those of the store itself. The identity and the journal are a
// store's own: a restored one has a new epoch.
var kindsOfStore = map[byte]string{'F': "form", 'T': "settings, policies, experiments", 'K': "keys"}

// rowsOf is every row of a store at a moment, by key.
type rowsOf struct {
	at   store.Snapshot
	rows map[string]*pb.KV
	size int64
}

// readRows reads all rows that a source gives.
func readRows(ctx context.Context, from backup.Source) (*rowsOf, error) {
	r := &rowsOf{rows: map[string]*pb.KV{}}
	return r, from.Give(ctx, backup.Ask{}, r)
}

func (r *rowsOf) Snapshot(at store.Snapshot) error { r.at = at; return nil }
func (r *rowsOf) Bundle(string, []byte) error      { return nil }
func (r *rowsOf) Audit(string, []byte) error       { return nil }
func (r *rowsOf) End(rows, bundles int64) error    { return nil }
func (r *rowsOf) kind(key string) (name string, ok bool) {
	names := kindsOfRows
	if binary.BigEndian.Uint32([]byte(key)) == 0 {
		names = kindsOfStore
	}
	name, ok = names[key[4]]
	return name, ok
}

func (r *rowsOf) Rows(f store.Frame) error {
	var list pb.KVList
	if err := proto.Unmarshal(f.Bytes[8:], &list); err != nil {
		return err
	}
	for _, kv := range list.Kv {
		r.rows[string(kv.Key)] = kv
		r.size += int64(len(kv.Key) + len(kv.Value))
	}
	return nil
}

// compared counts rows by what became of them.
type compared struct {
	same, bytes    int64
	replaced, gone map[string]int // in the source, after the backup's moment, by kind
	kinds          map[string]int // the same, by kind
}

// compareRows holds a restored store against its source, which has gone on since: every
// row that the source wrote up to the backup's version must be there bit by bit with its
// version and its expiry, and nothing else may be, but what was replaced or removed since.
func compareRows(t *testing.T, source, restored *rowsOf, version uint64) (c compared) {
	t.Helper()
	c = compared{replaced: map[string]int{}, gone: map[string]int{}, kinds: map[string]int{}}
	for key, was := range source.rows {
		name, ok := source.kind(key)
		if ok && was.Version <= version && restored.rows[key] == nil {
			t.Errorf("lost: a row of %s, %x", name, key)
		}
	}
	for key, got := range restored.rows {
		name, ok := restored.kind(key)
		if !ok {
			continue
		}
		want := source.rows[key]
		switch {
		case want == nil:
			c.gone[name]++
		case want.Version > version:
			c.replaced[name]++
		case want.Version != got.Version || want.ExpiresAt != got.ExpiresAt || !bytes.Equal(want.Value, got.Value):
			t.Errorf("a row of %s, %x, is not what it was", name, key)
		default:
			c.same++
			c.kinds[name]++
			c.bytes += int64(len(key) + len(got.Value))
		}
	}
	for name, n := range c.gone {
		if !slices.Contains([]string{"log", "chunks", "page lists", "owned"}, name) {
			t.Errorf("%d rows of %s are in the restored store and not in the source", n, name)
		}
	}
	return c
}

func (c compared) String() string {
	return fmt.Sprintf("%d rows equal bit by bit (%.1f MB) %v; since then the source replaced %v and dropped %v", c.same, float64(c.bytes)/1e6, c.kinds, c.replaced, c.gone)
}

// sameFiles holds the files under two folders against each other.
func sameFiles(t *testing.T, a, b string) (files int, size int64) {
	t.Helper()
	read := func(dir string) map[string][]byte {
		found := map[string][]byte{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			found[name], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return found
	}
	left, right := read(a), read(b)
	for name, content := range left {
		if !bytes.Equal(content, right[name]) {
			t.Errorf("%s is not in %s as it was", name, b)
		}
		size += int64(len(content))
	}
	if len(left) != len(right) {
		t.Errorf("%d files in %s, %d in %s", len(left), a, len(right), b)
	}
	return len(left), size
}

// searched is what a search for words has read.
type searched struct {
	files, tables, rows int
	raw, unpacked       int64
	found               []string
}

// search looks for a word in every byte of every file under a directory, and in every row
// of every table unpacked, since a compressed block may spell a word in parts. The word is
// looked for as it is, in hexadecimal and in base64 too.
func search(t *testing.T, dir, word string) (s searched) {
	t.Helper()
	forms := spellings(word)
	note := func(where string, content []byte) {
		for _, form := range forms {
			if bytes.Contains(content, form) {
				s.found = append(s.found, fmt.Sprintf("%s has %q", where, form))
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // merged away meanwhile
		}
		note(path, content)
		s.files++
		s.raw += int64(len(content))
		if err == nil && strings.HasSuffix(path, ".sst") {
			s.tables++
			err = unpack(path, func(key, value []byte) {
				note(path, key)
				note(path, value)
				s.rows++
				s.unpacked += int64(len(key) + len(value))
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spellings(word string) [][]byte {
	forms := [][]byte{[]byte(word), []byte(hex.EncodeToString([]byte(word)))}
	for shift := range 3 {
		// The letters of the middle do not depend on what stands around it.
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), word...))
		forms = append(forms, []byte(coded[2*shift:len(coded)-2]))
	}
	return forms
}

// unpack reads every version of every row of a table, also those that a removal hides.
func unpack(path string, each func(key, value []byte)) error {
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close(-1)
	t, err := table.OpenTable(f, table.Options{ReadOnly: true, BlockSize: 4 << 10, ChkMode: options.NoVerification, Compression: options.Snappy})
	if err != nil {
		return err
	}
	it := t.NewIterator(0)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		each(it.Key(), it.ValueCopy().Value)
	}
	return nil
}
