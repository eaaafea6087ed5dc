package lines

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

const tooLong = "<too long>"

func readAll(t interface{ Fatalf(string, ...any) }, in io.Reader, max int) []string {
	var got []string
	for r := NewReader(in, max); ; {
		line, number, err := r.Next()
		if err == io.EOF {
			return got
		}
		switch {
		case errors.Is(err, ErrTooLong):
			got = append(got, tooLong)
		case err != nil:
			t.Fatalf("%v", err)
		default:
			got = append(got, string(line))
		}
		if number != int64(len(got)) {
			t.Fatalf("line %d has the number %d", len(got), number)
		}
	}
}

// naive is the whole file at once.
func naive(text string, max int) []string {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	if text == "" {
		return nil
	}
	list := strings.Split(text, "\n")
	if list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	for i, l := range list {
		if list[i] = strings.TrimSuffix(l, "\r"); len(list[i]) > max {
			list[i] = tooLong
		}
	}
	return list
}

func TestLinesAreThoseOfTheWholeText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		max := rapid.IntRange(1, 40).Draw(t, "max")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab\r\n\ufeff")), 0, 200, -1).Draw(t, "text")
		got := readAll(t, iotest.OneByteReader(strings.NewReader(text)), max)
		if want := naive(text, max); !slices.Equal(got, want) {
			t.Fatalf("%q, at most %d: got %q, want %q", text, max, got, want)
		}
	})
}

func TestLineLongerThanTheBufferIsReadOrSkipped(t *testing.T) {
	long := strings.Repeat("x", 3*bufferBytes+7)
	text := "a\n" + long + "\r\nb\n" + long
	if got := readAll(t, strings.NewReader(text), len(long)); !slices.Equal(got, []string{"a", long, "b", long}) {
		t.Errorf("a bound of just the length loses lines: %d lines", len(got))
	}
	if got := readAll(t, strings.NewReader(text), len(long)-1); !slices.Equal(got, []string{"a", tooLong, "b", tooLong}) {
		t.Errorf("a bound one below the length: %d lines", len(got))
	}
}

func TestReadErrorIsNotTheEndOfTheFile(t *testing.T) {
	broken := errors.New("disk gone")
	r := NewReader(io.MultiReader(strings.NewReader("a\nhalf a li"), iotest.ErrReader(broken)), 100)
	if line, _, err := r.Next(); err != nil || string(line) != "a" {
		t.Fatalf("first line %q, %v", line, err)
	}
	if line, _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("got %q, %v, want the read error", line, err)
	}
}

func TestOpenUnpacksByContent(t *testing.T) {
	const text = "one\ntwo\n"
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
		"none": func(w io.Writer) io.WriteCloser { return nopCloser{w} },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log") // no ending that would tell
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			z := pack(f)
			_, err = io.WriteString(z, text)
			if err = errors.Join(err, z.Close(), f.Close()); err != nil {
				t.Fatal(err)
			}
			in, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if got, err := io.ReadAll(in); err != nil || string(got) != text {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestTruncatedPackingIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	for i := range 10000 {
		fmt.Fprintln(z, i*i)
	}
	if err := errors.Join(z.Close(), f.Truncate(5000), f.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := NewReader(in, 100)
	for err == nil {
		_, _, err = r.Next()
	}
	if err == io.EOF {
		t.Error("half a file reads as a whole one")
	}
}
