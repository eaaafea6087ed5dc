package arena

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func fill(a *Arena, i uint32) {
	row := a.Bytes(i)
	for j := range row {
		row[j] = byte(int(i)*7 + j)
	}
}

func check(t *testing.T, a *Arena, i uint32) {
	t.Helper()
	for j, b := range a.Bytes(i) {
		if b != byte(int(i)*7+j) {
			t.Fatalf("row %d changed at byte %d", i, j)
		}
	}
}

// Rows begin as zeros, stay where they are while the arena grows by chunks, in
// memory and in a file alike, and keep what was written.
func TestGrowthMovesNothing(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "rows"))
	if err != nil {
		t.Fatal(err)
	}
	const rows, stride = 100_000, 64
	for name, a := range map[string]*Arena{"memory": New(stride, rows), "file": InFile(stride, rows, file)} {
		if err := a.Grow(1); err != nil {
			t.Fatal(err)
		}
		first := a.Row(0)
		if !bytes.Equal(a.Bytes(0), make([]byte, stride)) {
			t.Errorf("%s: a new row is not zero", name)
		}
		for n := 1; n <= rows; n += 999 {
			if err := a.Grow(n); err != nil {
				t.Fatal(err)
			}
			fill(a, uint32(n-1))
		}
		for n := 1; n <= rows; n += 999 {
			check(t, a, uint32(n-1))
		}
		if a.Row(0) != first || uintptr(first)%8 != 0 {
			t.Errorf("%s: the first row was at %p, is at %p", name, first, a.Row(0))
		}
		if err := a.Grow(rows + 1); err == nil {
			t.Errorf("%s: it grew past its limit", name)
		}
	}
}

// Adopted rows are those of the file; writing to them leaves the file alone,
// and new rows follow them.
func TestAdoptedRowsAreCopiedWhenWritten(t *testing.T) {
	const rows, stride, offset = 70_000, 16, 4096
	content := make([]byte, offset+rows*stride)
	for i := range content {
		content[i] = byte(i * 31 >> 3)
	}
	path := filepath.Join(t.TempDir(), "rows")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := MapPrivate(f)
	if err != nil {
		t.Fatal(err)
	}
	a := New(stride, 2*rows)
	if err := a.Adopt(m, offset, rows); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 32_767, 32_768, rows - 1} {
		at := offset + i*stride
		if !bytes.Equal(a.Bytes(uint32(i)), content[at:at+stride]) {
			t.Errorf("row %d is not the file's", i)
		}
		fill(a, uint32(i))
	}
	if err := a.Grow(rows + 50_000); err != nil {
		t.Fatal(err)
	}
	fill(a, rows+49_999)
	check(t, a, rows+49_999)
	check(t, a, 32_767)
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		t.Errorf("the file changed: %v", err)
	}
	if resident, mapped := a.Usage(); resident <= 0 || mapped < 0 || resident+mapped < int64(stride*(rows+50_000)) {
		t.Errorf("%d bytes resident, %d mapped", resident, mapped)
	}
}
