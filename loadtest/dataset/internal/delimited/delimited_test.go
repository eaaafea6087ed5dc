package delimited

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// read gives the records as text, refused ones as "!line".
func read(t interface{ Fatalf(string, ...any) }, text string, comma rune, quoted bool, max int) []string {
	var got []string
	for r := NewReader(strings.NewReader(text), comma, quoted, max); ; {
		fields, number, err := r.Next()
		var syntax *SyntaxError
		switch {
		case err == io.EOF:
			return got
		case errors.As(err, &syntax):
			got = append(got, fmt.Sprintf("!%d", number))
		case err != nil:
			t.Fatalf("%v", err)
		default:
			got = append(got, fmt.Sprintf("%d%q", number, fields))
		}
	}
}

func TestABrokenRecordCostsOneLine(t *testing.T) {
	for _, c := range []struct {
		why, text string
		want      []string
	}{
		{"a quote that is never closed", "a,b\n1,\"x\n2,y\n3,z\n", []string{`1["a" "b"]`, "!2", `3["2" "y"]`, `4["3" "z"]`}},
		{"a quote that a later one closes: the width shows it", "a,b\n1,\"x\n2,y\n\"3\",z\n", []string{`1["a" "b"]`, "!2", `3["2" "y"]`, `4["3" "z"]`}},
		{"two open quotes make one record of the right width", "a,b\n1,\"x\n2,y\"\n3,z\n", []string{`1["a" "b"]`, `2["1" "x\n2,y"]`, `4["3" "z"]`}},
		{"a quote inside a field", "a,b\n1,5\" disk\n2,y\n", []string{`1["a" "b"]`, "!2", `3["2" "y"]`}},
		{"text after a quote", "a,b\n1,\"x\"y\n2,y\n", []string{`1["a" "b"]`, "!2", `3["2" "y"]`}},
		{"a line that is too long inside quotes", "a,b\n1,\"x\n" + strings.Repeat("q", 60) + "\n2,y\n", []string{`1["a" "b"]`, "!2", "!3", `4["2" "y"]`}},
		{"a record beyond the bound by many lines", "a,b\n1,\"" + strings.Repeat("q\n", 30) + "\"\n2,y\n",
			append([]string{`1["a" "b"]`, "!2"}, append(refused(3, 31), "!32", `33["2" "y"]`)...)},
		{"no newline at the end", "a,b\n1,\"x\"", []string{`1["a" "b"]`, `2["1" "x"]`}},
		{"quotes across lines", "a,b\r\n1,\"x\r\ny\"\r\n", []string{`1["a" "b"]`, `2["1" "x\ny"]`}},
	} {
		if got := read(t, c.text, ',', true, 50); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.why, got, c.want)
		}
	}
}

func refused(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("!%d", i))
	}
	return list
}

func TestWithoutQuotingQuotesAreText(t *testing.T) {
	got := read(t, "a\tb\n\"1\tx\"\n", '\t', false, 50)
	if want := []string{`1["a" "b"]`, `2["\"1" "x\""]`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// sameAsStandard holds the reader to encoding/csv: what that reads without an error, this reads alike; and where it finds an
// error, so does this.
func sameAsStandard(t interface{ Fatalf(string, ...any) }, text string, comma rune) {
	standard := csv.NewReader(strings.NewReader(text))
	standard.Comma = comma
	records, wantErr := standard.ReadAll()
	var got [][]string
	var gotErr error
	for r := NewReader(strings.NewReader(text), comma, true, 1<<20); gotErr == nil; {
		fields, _, err := r.Next()
		if err == io.EOF {
			break
		}
		if gotErr = err; err == nil {
			got = append(got, slices.Clone(fields))
		}
	}
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("%q: error %v, encoding/csv has %v", text, gotErr, wantErr)
	}
	if wantErr == nil && !slices.EqualFunc(got, records, slices.Equal) {
		t.Fatalf("%q: got %q, encoding/csv has %q", text, got, records)
	}
}

func TestGrammarIsThatOfEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		comma := rapid.SampledFrom([]rune(",;\té")).Draw(t, "comma")
		alphabet := []rune{'a', 'b', '"', '"', '\n', '\n', '\r', ' ', comma, comma}
		sameAsStandard(t, rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 60, -1).Draw(t, "text"), comma)
	})
}

func FuzzGrammarIsThatOfEncodingCSV(f *testing.F) {
	f.Add("a,b\n1,\"x\ny\"\n")
	f.Add("a,b\n1,\"x\"\"y\"\r\n\n2,z")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 || strings.HasPrefix(text, "\xef\xbb\xbf") { // encoding/csv keeps a byte order mark
			return
		}
		sameAsStandard(t, text, ',')
	})
}

func BenchmarkNext(b *testing.B) {
	row := "1,\"American President, The (1995)\",Comedy|Drama|Romance,12.5,964982703\n"
	text := strings.Repeat(row, 1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for r := NewReader(strings.NewReader(text), ',', true, 1<<20); ; n++ {
			if _, _, err := r.Next(); err != nil {
				break
			}
		}
		if n != 1000 {
			b.Fatalf("read %d records of 1000", n)
		}
	}
}
