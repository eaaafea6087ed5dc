package openbandit

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/ope"
)

const header = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user-item_affinity_0\n"

const rows = "0,2019-11-24 00:00:01+00:00,0,1,0,0.5,a,x,0.0\n" +
	"1,2019-11-24 00:00:02+00:00,1,2,1,0.25,b,x,0.0\n" +
	"2,2019-11-23 00:00:00+00:00,1,1,0,0.5,a,y,0.0\n" + // out of order: of no matter
	"3,2019-11-24 00:00:03+00:00,0,2,1,1,a,y,0.0\n"

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRowsBecomeDecisions(t *testing.T) {
	l, err := ReadFile(write(t, "men.csv", header+rows), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if l.Decisions() != 4 || l.Actions != 2 || l.Slots != 2 || l.Features != 4 || !l.Closed {
		t.Errorf("%d decisions, %d items, %d positions, %d features", l.Decisions(), l.Actions, l.Slots, l.Features)
	}
	r := l.Rows[1]
	if r.Action != 1 || r.Slot != 1 || r.Propensity != 0.25 || r.Reward != 1 {
		t.Errorf("row %+v", r)
	}
	// In the order met: a, x, b, y.
	for i, want := range [][]float32{{1, 1, 0, 0}, {0, 1, 1, 0}, {1, 0, 0, 1}, {1, 0, 0, 1}} {
		for j, v := range want {
			if l.Rows[i].Features[j] != v {
				t.Errorf("row %d has features %v, want %v", i, l.Rows[i].Features, want)
				break
			}
		}
	}
}

func TestBrokenRowsAreNamed(t *testing.T) {
	good := "9,t,0,1,0,0.5,a,x,0.0\n"
	for _, c := range []struct{ name, text, says string }{
		{"empty file", "", "is empty"},
		{"header alone", header, "a header and no rows"},
		{"missing column", "item_id,position,click\n", "no column propensity_score"},
		{"propensity 0", header + good + "1,t,0,1,0,0,a,x,0.0\n", ":3: propensity_score: propensity 0"},
		{"propensity above 1", header + "1,t,0,1,0,1.2,a,x,0.0\n", ":2: propensity_score: propensity 1.2: must be above 0 and at most 1"},
		{"propensity NaN", header + "1,t,0,1,0,NaN,a,x,0.0\n", "propensity NaN"},
		{"propensity no number", header + "1,t,0,1,0,high,a,x,0.0\n", `got "high"`},
		{"click", header + "1,t,0,1,2,0.5,a,x,0.0\n", ":2: click: must be 0 or 1"},
		{"position", header + "1,t,0,4,1,0.5,a,x,0.0\n", ":2: position: must be 1, 2 or 3"},
		{"item", header + "1,t,-1,1,1,0.5,a,x,0.0\n", ":2: item_id: must be a whole number"},
		{"twice", header + good + good, ":3: row number: stands on line 2 already"},
		{"fields", header + "1,t,0\n", ":2: 3 fields; the header has 9"},
		{"many", header + strings.Repeat("1,t,0\n", 9), "and 6 broken rows more"},
	} {
		_, err := ReadFile(write(t, "men.csv", c.text), DefaultOptions())
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
		var row *dataset.RowError
		if strings.HasPrefix(c.says, ":") && !errors.As(err, &row) {
			t.Errorf("%s: %T is no row error", c.name, err)
		}
	}
	o := DefaultOptions()
	o.MaxRows = 3
	if _, err := ReadFile(write(t, "men.csv", header+rows), o); err == nil || !strings.Contains(err.Error(), "more than 3 rows") {
		t.Errorf("a log beyond the bound: %v", err)
	}
	o = DefaultOptions()
	o.MaxFeatures = 3
	if _, err := ReadFile(write(t, "men.csv", header+rows), o); err == nil || !strings.Contains(err.Error(), "4 values; at most 3") {
		t.Errorf("features beyond the bound: %v", err)
	}
}

func TestTargetsByHand(t *testing.T) {
	l, err := ReadFile(write(t, "men.csv", header+rows+"4,t,1,1,0,0.5,a,x,0.0\n"), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	average, err := Average(l, l)
	if err != nil {
		t.Fatal(err)
	}
	// Position 1 has item 0 once and item 1 twice.
	if p := average.Probability(0); math.Abs(p-1.0/3) > 1e-12 {
		t.Errorf("item 0 in position 1: %v", p)
	}
	if c := average.Choices(1, nil); len(c) != 2 || c[0].Probability != 0.5 || &c[0].Features[0] != &l.Rows[1].Features[0] {
		t.Errorf("choices %+v", c)
	}
	if p := Uniform(l).Probability(3); p != 0.5 {
		t.Errorf("uniform: %v", p)
	}
	other := &Log{Log: ope.Log{Actions: 3, Slots: 2}, File: "other"}
	if _, err := Average(l, other); err == nil || !strings.Contains(err.Error(), "must be the same") {
		t.Errorf("other items: %v", err)
	}
	if _, err := Average(l, &Log{Log: ope.Log{Actions: 2, Slots: 2}}); err == nil || !strings.Contains(err.Error(), "no row in position 1") {
		t.Errorf("a position without rows: %v", err)
	}
}

func TestFolderFindsPackedFiles(t *testing.T) {
	dir := t.TempDir()
	for path, pack := range map[string]func(io.Writer) io.WriteCloser{
		"random/men/men.csv.gz": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"bts/men/men.csv.zst": func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		},
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := pack(f)
		_, err = z.Write([]byte(header + rows))
		if err = errors.Join(err, z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := Open(dir)
	if err != nil || len(folder.Campaigns) != 1 || folder.Campaigns[0] != "men" {
		t.Fatalf("%+v, %v", folder, err)
	}
	for _, policy := range []Policy{Random, Thompson} {
		if l, err := folder.Read(policy, "men", DefaultOptions()); err != nil || l.Decisions() != 4 {
			t.Errorf("%s: %v", policy, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "bts/men/men.csv.zst")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrFolder) || !strings.Contains(err.Error(), "men.csv is missing") {
		t.Errorf("half a campaign: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrFolder) {
		t.Errorf("an empty folder: %v", err)
	}
}

// The truth is known here: the uniform policy's own click rate. Skipped where the sample is not.
func TestSampleOfTheDataset(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "open-bandit")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no sample of the Open Bandit Dataset")
	}
	folder, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	random, err := folder.Read(Random, "men", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	thompson, err := folder.Read(Thompson, "men", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	truth, err := ope.LoggedValue(t.Context(), &random.Log, ope.DefaultOptions())
	if err != nil || truth.Value != 0.0046 {
		t.Fatalf("the uniform policy earned %+v, %v", truth, err)
	}
	r, err := ope.Evaluate(t.Context(), &thompson.Log, Uniform(thompson), ope.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := r.Estimate(ope.IPS); e.Interval == nil || e.Interval.Low > truth.Value || e.Interval.High < truth.Value {
		t.Errorf("IPS of the uniform policy %+v; the truth is %v", e, truth.Value)
	}
	thompson, err = folder.Read(Thompson, "women", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	// One row of this log was shown with a chance of one in a million.
	if _, err = ope.Evaluate(t.Context(), &thompson.Log, Uniform(thompson), ope.DefaultOptions()); !errors.Is(err, ope.ErrRefused) {
		t.Errorf("a log that is worth two decisions: %v", err)
	}
}
