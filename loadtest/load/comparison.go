package load

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
)

// ReadResults reads results, one JSON object a line as `loadtest load --json --repeat N` writes them; lines that sum them up
// are passed over.
func ReadResults(from io.Reader) ([]*Result, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	var results []*Result
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		result, isResult, err := readResult(text)
		if err != nil {
			return nil, fmt.Errorf("load: line %d: %w", n, err)
		}
		if isResult {
			results = append(results, result)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("load: read results: %w", err)
	}
	if len(results) == 0 {
		return nil, errors.New("load: no results; write them with: go run ./loadtest load --repeat 5 --json > FILE")
	}
	return results, nil
}

func readResult(text []byte) (r *Result, isResult bool, err error) {
	var what struct {
		Mode        Mode `json:"mode"`
		Repetitions int  `json:"repetitions"`
	}
	if err := json.Unmarshal(text, &what); err != nil {
		return nil, false, fmt.Errorf("not a JSON object of loadtest load: %w", err)
	}
	if what.Repetitions > 0 {
		return nil, false, nil
	}
	if what.Mode == "" {
		return nil, false, errors.New("not a result of loadtest load: it names no mode")
	}
	r = &Result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, false, fmt.Errorf("not a result of loadtest load: %w", err)
	}
	return r, true, nil
}

// Verdict is what a comparison says of a figure.
type Verdict string

const (
	// NoDifference was seen: the interval holds 0.
	NoDifference Verdict = "no difference seen"
	// Better and Worse are beyond the noise.
	Better Verdict = "better"
	Worse  Verdict = "worse"
	// Unknown: there are too few repetitions, or values that cannot be compared.
	Unknown Verdict = "unknown"
)

// Difference is one figure of two tests.
type Difference struct {
	Name  string  `json:"name"`
	A     float64 `json:"a"` // means
	B     float64 `json:"b"`
	Unit  string  `json:"unit"` // "percent" of A, or "points" of a share in percent
	RunsA int     `json:"runs_a"`
	RunsB int     `json:"runs_b"`
	// Change from A to B in the unit, above 0: more. Low and High bound it, at a confidence that holds for all figures of
	// the comparison together. All 0 where the verdict is unknown.
	Change  float64 `json:"change"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Verdict Verdict `json:"verdict"`
	// WorseBy is by how much B is worse at least, in the unit: the end of the interval that is nearer to no change. 0: B may
	// be as good.
	WorseBy float64 `json:"worse_by_at_least"`
	Text    string  `json:"text"` // the verdict in words
}

// Comparison is two tests side by side.
type Comparison struct {
	Confidence  float64      `json:"confidence"` // that all intervals hold at once
	Differences []Difference `json:"differences"`
	// Unlike lists what differs between the tests beside the server: figures of unlike tests say little.
	Unlike []string `json:"unlike"`
}

// Compare sets repetitions of one test beside those of another: the change of each figure that both have, and whether it is
// more than noise. Figures above 0 are compared by ratio, with Welch's t interval on their logarithms, so that "8% slower"
// means the same at 1 ms and at 100 ms; shares of failed calls by difference. The error probability of 5% is divided among
// the figures (Bonferroni): a comparison of ten figures does not find something every second time.
//
// A side with one result has no noise to compare with, and its verdicts are Unknown.
func Compare(a, b []*Result) (*Comparison, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("load: compare %d results with %d: each side needs at least 1, and 2 for a verdict", len(a), len(b))
	}
	c := &Comparison{Confidence: Confidence, Unlike: unlike(append(slices.Clone(a), b...))}
	before, after := shared(a), shared(b)
	type pair struct{ a, b series }
	var pairs []pair
	for _, f := range before {
		if at := slices.IndexFunc(after, func(g series) bool { return g.name == f.name }); at >= 0 {
			pairs = append(pairs, pair{f, after[at]})
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("load: the tests share no figure: one is of mode %s, the other of %s", a[0].Mode, b[0].Mode)
	}
	each := 1 - (1-Confidence)/float64(len(pairs))
	for _, p := range pairs {
		c.Differences = append(c.Differences, difference(p.a, p.b, each))
	}
	return c, nil
}

// difference makes an interval at the confidence.
func difference(a, b series, confidence float64) Difference {
	d := Difference{Name: a.name, A: momentsOf(a.values).mean, B: momentsOf(b.values).mean, RunsA: len(a.values), RunsB: len(b.values),
		Unit: either(a.share, "points", "percent"), Verdict: Unknown}
	switch {
	case len(a.values) < 2 || len(b.values) < 2:
		d.Text = "unknown: one run a side shows no noise; repeat with --repeat 5"
		return d
	case !a.share && (slices.Min(a.values) <= 0 || slices.Min(b.values) <= 0):
		d.Text = "unknown: some run measured 0"
		return d
	}
	scale := func(v float64) float64 { return v }
	turn := scale // a share is in percent already
	if !a.share {
		scale, turn = math.Log, func(v float64) float64 { return 100 * math.Expm1(v) }
	}
	center, wide := welch(mapped(a.values, scale), mapped(b.values, scale), confidence)
	d.Change, d.Low, d.High = turn(center), turn(center-wide), turn(center+wide)
	d.judge(a.higher, a.share)
	return d
}

func mapped(values []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

// welch is the difference of two means, b less a, and how far its interval goes to each side, without taking the two to vary alike
// (B. L. Welch, "The generalization of Student's problem when several different population variances are involved", 1947).
func welch(a, b []float64, confidence float64) (difference, wide float64) {
	x, y := momentsOf(a), momentsOf(b)
	u, v := x.variance/x.n, y.variance/y.n
	if u+v == 0 {
		return y.mean - x.mean, 0
	}
	freedom := (u + v) * (u + v) / (u*u/(x.n-1) + v*v/(y.n-1))
	return y.mean - x.mean, tQuantile(confidence, freedom) * math.Sqrt(u+v)
}

// judge sets the verdict and its words.
func (d *Difference) judge(higher, share bool) {
	unit := either(share, " points", "%")
	more, less := "slower", "faster"
	switch {
	case share:
		more, less = "more", "fewer"
	case higher:
		more, less = "higher", "lower"
	}
	if d.Low <= 0 && d.High >= 0 {
		d.Verdict = NoDifference
		d.Text = fmt.Sprintf("no difference seen (%s%s to %s%s)", signed(d.Low), unit, signed(d.High), unit)
		return
	}
	d.Verdict = Verdict(either((d.Change > 0) == higher, string(Better), string(Worse)))
	if d.Verdict == Worse {
		d.WorseBy = math.Min(math.Abs(d.Low), math.Abs(d.High))
	}
	d.Text = fmt.Sprintf("%s by %s%s (%s to %s)", either(d.Change > 0, more, less), plain(math.Abs(d.Change)), unit,
		plain(math.Min(math.Abs(d.Low), math.Abs(d.High))), plain(math.Max(math.Abs(d.Low), math.Abs(d.High))))
}

// plain writes a change: two digits where it is small, no fraction where it is not.
func plain(v float64) string {
	if math.Abs(v) >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func signed(v float64) string { return either(v >= 0, "+", "") + plain(v) }

// unlike says what the results do not have in common.
func unlike(all []*Result) []string {
	var found []string
	for _, f := range []struct {
		name string
		of   func(*Result) string
	}{
		{"mode", func(r *Result) string { return string(r.Mode) }},
		{"mix", func(r *Result) string { return r.Mix }},
		{"arrivals", func(r *Result) string { return string(r.Arrivals) }},
		{"rate", func(r *Result) string {
			if r.Step == nil || r.Mode == ModeSaturation || r.Mode == ModeAll {
				return ""
			}
			return fmt.Sprint(r.Rate)
		}},
		{"duration", func(r *Result) string { return fmt.Sprint(r.DurationS) }},
		{"server lost", func(r *Result) string { return either(r.Step != nil && r.ServerLostS != nil, "yes", "no") }},
		{"limit", func(r *Result) string { return fmt.Sprint(r.Limit) }},
		{"users", func(r *Result) string { return fmt.Sprint(r.Users) }},
		{"items", func(r *Result) string { return fmt.Sprint(r.Items) }},
		{"connections", func(r *Result) string { return fmt.Sprint(r.Connections) }},
		{"cores", func(r *Result) string { return fmt.Sprint(r.Machine.Cores) }},
		{"processor", func(r *Result) string { return r.Machine.CPU }},
		{"go", func(r *Result) string { return r.Machine.Go }},
		{"server on the client's machine", func(r *Result) string { return fmt.Sprint(r.Machine.Shared) }},
	} {
		var values []string
		for _, r := range all {
			if v := f.of(r); !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			found = append(found, fmt.Sprintf("%s: %q", f.name, values))
		}
	}
	return found
}

// WorstBy is the greatest change for the worse that is beyond the noise, in percent of A, and its figure's name; 0: none.
// A rise of the share of failed calls counts in points.
func (c *Comparison) WorstBy() (by float64, name string) {
	for _, d := range c.Differences {
		if d.WorseBy > by {
			by, name = d.WorseBy, d.Name
		}
	}
	return by, name
}

// WriteTable writes the comparison for people.
func (c *Comparison) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	_, err := fmt.Fprintf(t, "figure\tA\tB\tverdict\n")
	for _, d := range c.Differences {
		_, more := fmt.Fprintf(t, "%s\t%.4g (%d runs)\t%.4g (%d runs)\t%s\n", d.Name, d.A, d.RunsA, d.B, d.RunsB, d.Text)
		err = cmp.Or(err, more)
	}
	err = cmp.Or(err, t.Flush())
	if _, more := fmt.Fprintf(w, "all intervals hold at once with %.0f%% confidence\n", 100*c.Confidence); err == nil {
		err = more
	}
	for _, u := range c.Unlike {
		if _, more := fmt.Fprintf(w, "the tests are unlike in %s\n", u); err == nil {
			err = more
		}
	}
	return err
}
