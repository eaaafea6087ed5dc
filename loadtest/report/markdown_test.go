package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestMarkdownHoldsEveryFactTableAndPoint(t *testing.T) {
	page := Page{Title: "Load test", Lead: "two cores", Foot: "from when a call was due",
		Facts: []Fact{{"p99", "4 ms", "p50 1 ms"}},
		Sections: []Section{{Title: "Over time", Text: "by second", Table: &Table{Head: []string{"rate", "p99"}, Rows: [][]string{{"500", "4"}}},
			Chart: &Chart{Label: "latency", X: Axis{Label: "seconds", Ticks: []Tick{{2, "two"}}}, Levels: []Level{{"bound", 50}},
				Series: []Series{{Name: "p50", Points: []Point{{X: 1, Y: 3}, {X: 2, Y: 4}}}, {Name: "p99", Points: []Point{{X: 2, Y: 9}}}}}}}}
	want := `# Load test

two cores

| figure | value |  |
|:---|---:|---:|
| p99 | 4 ms | p50 1 ms |

## Over time

by second

latency; bound at 50:

| seconds | p50 | p99 |
|:---|---:|---:|
| 1 | 3 |  |
| two | 4 | 9 |

| rate | p99 |
|:---|---:|
| 500 | 4 |

from when a call was due
`
	var b bytes.Buffer
	if err := page.WriteMarkdown(&b); err != nil || b.String() != want {
		t.Errorf("error %v, got:\n%s\nwant:\n%s", err, b.String(), want)
	}
}

func TestMarkdownTextIsOnlyText(t *testing.T) {
	var b bytes.Buffer
	page := samplePage()
	page.Sections[0].Table.Rows = [][]string{{"a|b\nc", "*x*"}}
	page.Sections[0].Table.Head = []string{"one", "two"}
	if err := page.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `| a\|b c | \*x\* |`) {
		t.Errorf("a cell broke out of its row:\n%s", b.String())
	}
	for _, bad := range []string{"<script", "<b>", "</svg>"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestLongChartIsThinnedAndSaysSo(t *testing.T) {
	line := Series{Name: "p99"}
	for i := range 600 {
		line.Points = append(line.Points, Point{X: float64(i), Y: 1})
	}
	var b bytes.Buffer
	if err := (Page{Title: "t", Sections: []Section{{Chart: &Chart{Series: []Series{line}}}}}).WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(b.String(), "\n| "); rows != mostRows+1 || !strings.Contains(b.String(), "24 of 600 points") ||
		!strings.Contains(b.String(), "\n| 599 |") {
		t.Errorf("%d rows:\n%s", rows, b.String())
	}
}

func TestNameSaysTheFormat(t *testing.T) {
	dir := t.TempDir()
	for name, start := range map[string]string{"r.md": "# a", "r.MD": "# a", "r.html": "<!doctype html>", "r": "<!doctype html>"} {
		path := filepath.Join(dir, name)
		if err := samplePage().WriteFile(path); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), start) {
			t.Errorf("%s begins %.20q, error %v; want %q", name, text, err, start)
		}
	}
}

// A full disk is told in one line that names the file, and a device is written to rather than replaced by a file.
func TestFullDiskIsTold(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	err := samplePage().WriteFile("/dev/full")
	if err == nil || !strings.Contains(err.Error(), "write /dev/full") || !strings.Contains(err.Error(), "no space left") ||
		strings.Contains(fmt.Sprint(err), "\n") {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Error("the device was replaced")
	}
}

func TestFileIsCheckedBeforeTheWork(t *testing.T) {
	dir := t.TempDir()
	if err := CheckFile(filepath.Join(dir, "r.html")); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the check left %v", left)
	}
	for _, path := range []string{dir, filepath.Join(dir, "none", "r.html")} {
		if err := CheckFile(path); err == nil {
			t.Errorf("%s passes for a file", path)
		}
	}
}
