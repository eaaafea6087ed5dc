package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/loadtest/sequential"
)

// Options say what to read out.
type Options struct {
	// Name of the experiment.
	Name string
	// Variants with their shares, the control first; nil: as the source has them. At least 2.
	Variants []VariantShare
	// Window after a user's first list in which their acts count, above 0.
	Window time.Duration
	// Since leaves earlier decisions out; zero: none.
	Since time.Time
	// Until is when the read-out is made: windows that end later are open. Zero: the latest time in the logs.
	Until time.Time
	// Clicks are the types of events that are clicks, as "click", or custom types. At least 1.
	Clicks []string
	// Alpha is the chance that any interval is ever wrong, above 0 to 0.5.
	Alpha float64
	// Users is the number at which the intervals are to be narrowest, above 0.
	Users float64
	// MaxDecisions bounds the lists, and the clicks and purchases, held in memory, at least 1.
	MaxDecisions int
}

func (o Options) validate() error {
	switch {
	case o.Name == "":
		return errors.New("experiment: no name; say which experiment to read out")
	case o.Window <= 0:
		return fmt.Errorf("experiment: window %v: must be above 0", o.Window)
	case len(o.Clicks) == 0:
		return errors.New("experiment: no type of event is a click; name one, such as click")
	case o.MaxDecisions < 1 || o.MaxDecisions > math.MaxInt32:
		return fmt.Errorf("experiment: at most %d decisions: must be 1 to 2147483647", o.MaxDecisions)
	}
	return nil
}

// VariantResult is what became of the users of a variant whose window is over.
type VariantResult struct {
	Variant  string  `json:"variant"`
	Share    float64 `json:"share"` // meant, of all variants
	Assigned int     `json:"assigned_users"`
	Open     int     `json:"open_users"` // of those, still within their window; in none of the figures below
	Users    int     `json:"users"`
	Lists    int     `json:"lists"`
	Shown    int     `json:"items_shown"`
	Clicks   int     `json:"clicks"`
	// ClickRate is clicks per item shown.
	ClickRate float64 `json:"click_rate"`
	Clickers  int     `json:"users_who_clicked"`
	Purchases int     `json:"purchases"`
}

// ComparisonResult is one figure of a variant against the control.
type ComparisonResult struct {
	Variant string  `json:"variant"`
	Control string  `json:"control"`
	Figure  string  `json:"figure"` // click_rate, clickers or purchases_per_user
	Before  float64 `json:"control_value"`
	Value   float64 `json:"value"`
	// Enough says whether there are enough users for the rest.
	Enough bool `json:"enough_users"`
	// Difference to the control, with an interval that holds at all looks at once.
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	// P is always valid; Significant says that it fell to its share of alpha, since CrossedAt.
	P           float64    `json:"p_always_valid"`
	Significant bool       `json:"significant"`
	CrossedAt   *time.Time `json:"crossed_at,omitempty"`
	Text        string     `json:"text"`
}

// Shares is the check of how users fell to the variants.
type Shares struct {
	P          float64   `json:"p_always_valid"`
	ChiSquareP float64   `json:"p_chi_square"` // holds for one look
	Expected   []float64 `json:"expected_users"`
}

// Result is an experiment at one time. Encoded, it is one JSON object.
type Result struct {
	Experiment  string             `json:"experiment"`
	Until       time.Time          `json:"until"`
	WindowS     float64            `json:"window_s"`
	Alpha       float64            `json:"alpha"`
	Variants    []VariantResult    `json:"variants"`
	Comparisons []ComparisonResult `json:"comparisons"`
	Shares      Shares             `json:"sample_ratio"`
	// Mismatch says that users did not fall to the variants as they should: no other figure is to be trusted.
	Mismatch bool `json:"sample_ratio_mismatch"`
	Left     Left `json:"left_out"`
	// Warning says what else may mislead; empty: nothing.
	Warning string `json:"warning,omitempty"`
}

// mismatchAlpha is the level of the check of shares: low, as an alarm ends an experiment.
const mismatchAlpha = 0.001

// Run reads an experiment out.
func Run(ctx context.Context, from Source, o Options) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	variants := o.Variants
	if variants == nil {
		var err error
		if variants, err = from.Variants(ctx, o.Name); err != nil {
			return nil, err
		}
	}
	if len(variants) < 2 {
		return nil, fmt.Errorf("experiment: %d variants with a share: at least 2 are needed; name them with their shares, the control first, as --shares control=0.5,new=0.5", len(variants))
	}
	c := &collector{o: o, variants: variants, byID: map[string]int32{}, byNumber: map[uint64]int32{}, seen: map[string]bool{}}
	if err := c.read(ctx, from); err != nil {
		return nil, err
	}
	c.settle()
	return c.result()
}

// figures are what variants are compared by: a numerator and a denominator of each user.
var figures = []struct {
	name string
	of   func(u *user) (numerator, denominator float64)
}{
	{"click_rate", func(u *user) (float64, float64) { return float64(u.clicks), float64(u.shown) }},
	{"clickers", func(u *user) (float64, float64) { return math.Min(1, float64(u.clicks)), 1 }},
	{"purchases_per_user", func(u *user) (float64, float64) { return float64(u.bought), 1 }},
}

func (c *collector) result() (*Result, error) {
	o := c.o
	until := o.Until
	if until.IsZero() {
		until = c.last
	}
	r := &Result{Experiment: o.Name, Until: until.UTC(), WindowS: o.Window.Seconds(), Alpha: o.Alpha, Left: c.left}
	total := 0.0
	for _, v := range c.variants {
		total += v.Share
	}
	for _, v := range c.variants {
		r.Variants = append(r.Variants, VariantResult{Variant: v.Name, Share: v.Share / total})
	}
	if n := c.left.Newcomers; n > 0 {
		r.Warning = fmt.Sprintf("%d of %d lists were for newcomers whom the server has no number for; they are left out, and a variant that makes more of them act is not judged by it", n, n+len(c.lists))
	}
	slices.SortFunc(c.users, func(a, b user) int { return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.number, b.number)) })
	if err := c.checkShares(r); err != nil {
		return nil, err
	}
	return r, c.compare(r, until)
}

func (c *collector) checkShares(r *Result) error {
	var meant []float64
	for _, v := range c.variants {
		meant = append(meant, v.Share)
	}
	shares, err := sequential.NewShares(meant)
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	for _, u := range c.users {
		shares.Add(u.variant)
		r.Variants[u.variant].Assigned++
	}
	m := shares.Result()
	r.Shares = Shares{P: m.P, ChiSquareP: m.ChiSquareP, Expected: m.Expected}
	r.Mismatch = m.P < mismatchAlpha
	return nil
}

// compare goes through the users in the order in which their windows ended, looking after each.
func (c *collector) compare(r *Result, until time.Time) error {
	others := len(c.variants) - 1
	test, err := sequential.NewTest(c.o.Alpha/float64(others*len(figures)), c.o.Users)
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	arms := make([]sequential.Arm, len(c.variants)*len(figures))
	arm := func(variant, figure int) *sequential.Arm { return &arms[variant*len(figures)+figure] }
	processes := make([]*sequential.Process, others*len(figures))
	crossed := make([]*time.Time, len(processes))
	for i := range processes {
		processes[i] = sequential.NewProcess(test)
	}
	for i := range c.users {
		u := &c.users[i]
		ended := u.first.Add(c.o.Window)
		if ended.After(until) {
			r.Variants[u.variant].Open++
			continue
		}
		r.Variants[u.variant].add(u)
		for f := range figures {
			arm(u.variant, f).Add(figures[f].of(u))
			for v := 1; v < len(c.variants); v++ {
				if u.variant != v && u.variant != 0 {
					continue
				}
				at := (v-1)*len(figures) + f
				if processes[at].Look(arm(0, f), arm(v, f)) {
					crossed[at] = &ended
				}
			}
		}
	}
	for v := 1; v < len(c.variants); v++ {
		for f := range figures {
			at := (v-1)*len(figures) + f
			r.Comparisons = append(r.Comparisons, comparison(c.variants[v].Name, c.variants[0].Name, figures[f].name,
				arm(0, f), arm(v, f), processes[at], crossed[at]))
		}
	}
	return nil
}

func (v *VariantResult) add(u *user) {
	v.Users++
	v.Lists += u.lists
	v.Shown += u.shown
	v.Clicks += u.clicks
	v.Purchases += u.bought
	if u.clicks > 0 {
		v.Clickers++
	}
	if v.Shown > 0 {
		v.ClickRate = float64(v.Clicks) / float64(v.Shown)
	}
}

func comparison(variant, control, figure string, a, b *sequential.Arm, p *sequential.Process, crossed *time.Time) ComparisonResult {
	c := ComparisonResult{Variant: variant, Control: control, Figure: figure, Before: a.Ratio(), Value: b.Ratio(), Difference: b.Ratio() - a.Ratio(),
		P: p.P, Significant: p.Significant(), CrossedAt: crossed, Enough: p.Last.Enough}
	if c.Enough {
		c.Low, c.High = p.Last.Low, p.Last.High
	}
	c.Text = c.words()
	return c
}

func (c *ComparisonResult) words() string {
	if !c.Enough {
		return fmt.Sprintf("too few users: a verdict needs %d in each variant, %d of them with more than none", sequential.MinUsers, sequential.MinActive)
	}
	percent := func(v float64) string { return fmt.Sprintf("%+.1f%%", 100*v/c.Before) }
	span := fmt.Sprintf("%s to %s of the control's", percent(c.Low), percent(c.High))
	switch {
	case c.Significant && c.Difference > 0:
		return fmt.Sprintf("higher by %s (%s)", percent(c.Difference)[1:], span)
	case c.Significant:
		return fmt.Sprintf("lower by %s (%s)", percent(-c.Difference)[1:], span)
	}
	return "no difference seen yet (" + span + ")"
}
