package spill

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func write(t *rapid.T, path string, target int, records [][]byte) {
	w, err := Create(path, target)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSorterAgreesWithASliceSortedInMemory(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s, err := NewSorter(dir, MinMemory)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// Long records, so that some hundred fill the memory many times.
		length := rapid.SampledFrom([]int{0, 3, 9, 300, 3000}).Draw(t, "length")
		n := rapid.IntRange(0, 400).Draw(t, "n")
		seed := rapid.Byte().Draw(t, "seed")
		var want [][]byte
		for i := range n {
			r := bytes.Repeat([]byte{byte(i) * seed}, length+i%5)
			r = append(r, byte(i*7))
			want = append(want, r)
			if err := s.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, bytes.Compare)
		i := 0
		for r, err := range s.Sorted() {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || !bytes.Equal(r, want[i]) {
				t.Fatalf("record %d of %d differs", i, len(want))
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d records of %d", i, len(want))
		}
		if runs, _ := s.Runs(); length == 3000 && n > 100 && runs < 2 {
			t.Fatalf("%d runs: nothing was spilled", runs)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestManyRunsAreMergedInRounds(t *testing.T) {
	s, err := NewSorter(t.TempDir(), MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 200_000
	for i := range n {
		k := uint32(i) * 2654435761
		if err := s.Add([]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}); err != nil {
			t.Fatal(err)
		}
	}
	var last []byte
	count := 0
	for r, err := range s.Sorted() {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(last, r) > 0 {
			t.Fatalf("%x after %x", r, last)
		}
		last = append(last[:0], r...)
		count++
	}
	if runs, size := s.Runs(); count != n || runs <= s.fanIn() || size == 0 {
		t.Errorf("%d records, %d runs of %d bytes, %d at once", count, runs, size, s.fanIn())
	}
	for _, err := range s.Sorted() {
		if err == nil {
			t.Error("a sort was read twice")
		}
		break
	}
}

func TestFileGivesItsRecordsInOrderAndByBlock(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, string(rune('a'+n%26))+strings.Repeat("x", n/26))
		defer os.Remove(path)
		records := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 50)).Draw(t, "records")
		write(t, path, rapid.IntRange(1, 500).Draw(t, "target"), records)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		blocks, err := f.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		var byBlock, byOrder [][]byte
		for _, b := range blocks {
			if byBlock, err = f.Block(b, byBlock); err != nil {
				t.Fatal(err)
			}
		}
		for r, err := range f.Records() {
			if err != nil {
				t.Fatal(err)
			}
			byOrder = append(byOrder, bytes.Clone(r))
		}
		if !slices.EqualFunc(records, byOrder, bytes.Equal) || !slices.EqualFunc(records, byBlock, bytes.Equal) {
			t.Fatalf("%d records, %d in order, %d by block", len(records), len(byOrder), len(byBlock))
		}
	})
}

// sample is the content of a file with some blocks.
func sample(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "sample")
	w, err := Create(path, 40)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if err := w.Append(bytes.Repeat([]byte{byte(i)}, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// readAll reads a file to its end and returns the first error.
func readAll(path string) (records int, err error) {
	f, err := Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for _, err := range f.Records() {
		if err != nil {
			return records, err
		}
		records++
	}
	return records, nil
}

func TestEveryDamagedByteAndEveryCutIsNoticed(t *testing.T) {
	content := sample(t)
	path := filepath.Join(t.TempDir(), "damaged")
	try := func(what string, at int, damaged []byte) {
		t.Helper()
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "at byte ") {
			t.Fatalf("%s at %d of %d: %v", what, at, len(content), err)
		}
	}
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 0x10
		try("a bit turned", i, damaged)
		try("cut", i, content[:i])
	}
	try("more behind it", len(content), append(bytes.Clone(content), 0))
}

// inMemory is a file that is none, so that fuzzing does not wait for a disk.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
func (inMemory) Name() string { return "in-memory" }

func FuzzFile(f *testing.F) {
	content := sample(f)
	f.Add(content)
	f.Add(content[:len(content)-5])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, content []byte) {
		named := func(err error) bool {
			return errors.Is(err, ErrCorrupt) && strings.Contains(err.Error(), "in-memory at byte ")
		}
		file, err := open(inMemory{bytes.NewReader(content)}, int64(len(content)))
		if err != nil {
			if !named(err) {
				t.Fatal(err)
			}
			return
		}
		inOrder := 0
		for _, err = range file.Records() {
			if err == nil {
				inOrder++
			}
		}
		if err != nil && !named(err) {
			t.Fatalf("after %d records: %v", inOrder, err)
		}
		blocks, blocksErr := file.Blocks()
		var byBlock [][]byte
		for _, b := range blocks {
			if blocksErr == nil {
				byBlock, blocksErr = file.Block(b, byBlock)
			}
		}
		if err == nil && (blocksErr != nil || len(byBlock) != inOrder) {
			t.Fatalf("%d records in order, by block %d and %v", inOrder, len(byBlock), blocksErr)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	b.ReportAllocs()
	const n = 1 << 20
	for b.Loop() {
		s, err := NewSorter(b.TempDir(), 8<<20)
		if err != nil {
			b.Fatal(err)
		}
		record := make([]byte, 32)
		for i := range n {
			k := uint64(i) * 0x9e3779b97f4a7c15
			for j := range 8 {
				record[j] = byte(k >> (8 * j))
			}
			if err := s.Add(record); err != nil {
				b.Fatal(err)
			}
		}
		count := 0
		for _, err := range s.Sorted() {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != n {
			b.Fatal(count)
		}
		_, size := s.Runs()
		b.ReportMetric(float64(size), "spilled_B")
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
