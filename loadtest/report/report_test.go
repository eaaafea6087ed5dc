package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func tickTexts(t *testing.T, axis Axis, values ...float64) []string {
	t.Helper()
	s, ok := newScale(axis, values)
	if !ok {
		t.Fatalf("no scale over %v", values)
	}
	var texts []string
	for _, tick := range s.ticks() {
		texts = append(texts, tick.Text)
	}
	return texts
}

func TestTicksAreRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		want   []string
	}{
		{Axis{}, []float64{0, 10}, []string{"0", "2", "4", "6", "8", "10"}},
		{Axis{}, []float64{3, 97}, []string{"0", "20", "40", "60", "80", "100"}},
		{Axis{Zero: true}, []float64{900, 1900}, []string{"0", "500", "1,000", "1,500", "2,000"}},
		{Axis{}, []float64{-0.4, 0.4}, []string{"-0.4", "-0.2", "0", "0.2", "0.4"}},
		{Axis{Log: true}, []float64{0.3, 45}, []string{"0.2", "0.5", "1", "2", "5", "10", "20", "50"}},
		{Axis{Log: true}, []float64{0.2, 4000}, []string{"1", "10", "100", "1,000"}},
		{Axis{}, []float64{5}, []string{"0", "1", "2", "3", "4", "5"}}, // one value still has an axis
		{Axis{Ticks: []Tick{{1, "one"}, {20, "outside"}}}, []float64{0, 10}, []string{"one"}},
	} {
		if diff := cmp.Diff(c.want, tickTexts(t, c.axis, c.values...)); diff != "" {
			t.Errorf("ticks of %v over %v (-want +got):\n%s", c.axis, c.values, diff)
		}
	}
}

func TestEveryValueLiesInsideTheChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(1e-6, 1e9), 1, 20).Draw(t, "values")
		axis := Axis{Log: rapid.Bool().Draw(t, "log"), Zero: rapid.Bool().Draw(t, "zero")}
		s, ok := newScale(axis, values)
		if !ok {
			t.Fatalf("no scale over %v", values)
		}
		for _, v := range values {
			if at, can := s.at(v); !can || at < -1e-6 || at > 1+1e-6 {
				t.Fatalf("%v stands at %v of the axis", v, at)
			}
		}
		if n := len(s.ticks()); n < 1 || n > 12 {
			t.Fatalf("%d ticks over %v", n, values)
		}
	})
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1234: "0.123", 12: "12", 12.34: "12.3", 999.6: "1,000", 1234: "1,234",
		1234567: "1,234,567", -4321: "-4,321", 0.00012: "0.00012", 100: "100", math.NaN(): "–"} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %q; want %q", v, got, want)
		}
	}
}

func TestLineBreaksWhereAPointCannotBeDrawn(t *testing.T) {
	d := draw(&Chart{Y: Axis{Log: true}, Series: []Series{{Points: []Point{{X: 1, Y: 1}, {X: 2, Y: 2}, {X: 3, Y: 0},
		{X: 4, Y: 4}, {X: 5, Y: math.NaN()}, {X: 6, Y: 3}}}}})
	if got := len(d.Lines[0].Paths); got != 3 {
		t.Errorf("%d stretches; 0 and NaN must break a logarithmic line into 3", got)
	}
}

func TestChartWithoutPointsSaysSo(t *testing.T) {
	page := Page{Sections: []Section{{Chart: &Chart{Series: []Series{{Points: []Point{{X: math.NaN(), Y: 1}}}}}}}}
	if text := render(t, page); !strings.Contains(text, "nothing to draw") || strings.Contains(text, "<svg") {
		t.Error("an empty chart was drawn, or nothing was said")
	}
}

func render(t *testing.T, p Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func samplePage() Page {
	return Page{
		Title: `a <b> & "c"`, Lead: "lead", Foot: "foot", Facts: []Fact{{"p99", "4 ms", "of all"}},
		Sections: []Section{{Title: "t", Wide: true,
			Chart: &Chart{Label: `<x>`, X: Axis{Label: "seconds"}, Y: Axis{Label: "ms"}, Levels: []Level{{"bound </text>", 3}},
				Series: []Series{{Name: "</svg><script>", Marks: true, Points: []Point{{1, 2, "<note>"}, {2, 3, ""}}}}},
			Table: &Table{Head: []string{"rate"}, Rows: [][]string{{"<td>"}}}}},
	}
}

func TestTextIsEscapedAndNothingIsFetched(t *testing.T) {
	text := render(t, samplePage())
	for _, bad := range []string{"<script", "<b>", "<note>", "<x>", "</svg><", "http:", "https:", "url(", "@import", "src="} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// The drawings are well-formed XML, so that they can be cut out of the page and used as files.
func TestDrawingsAreWellFormed(t *testing.T) {
	text := render(t, samplePage())
	start, end := strings.Index(text, "<svg"), strings.Index(text, "</svg>")
	if start < 0 || end < start {
		t.Fatal("no drawing")
	}
	decoder := xml.NewDecoder(strings.NewReader(text[start : end+len("</svg>")]))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteFileKeepsTheOldReportOnFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.html")
	if err := samplePage().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(first, []byte("<!doctype html>")) {
		t.Fatalf("report %.20q, error %v", first, err)
	}
	if err := samplePage().WriteFile(filepath.Join(path, "below")); err == nil {
		t.Error("a report below a file was written")
	}
}
