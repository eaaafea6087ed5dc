package experiment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// logs is a source in memory.
type logs struct {
	decisions []*kindredv1.Decision
	events    []*kindredv1.Event
}

func (l *logs) Decisions(_ context.Context, since time.Time, visit func(*kindredv1.Decision) error) error {
	for _, d := range l.decisions {
		if err := visit(d); err != nil {
			return err
		}
	}
	return nil
}

func (l *logs) Events(_ context.Context, visit func(*kindredv1.Event) error) error {
	for _, e := range l.events {
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *logs) Variants(context.Context, string) ([]VariantShare, error) {
	return []VariantShare{{"control", 0.5}, {"new", 0.5}}, nil
}

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func at(hours float64) *timestamppb.Timestamp {
	return timestamppb.New(start.Add(time.Duration(hours * float64(time.Hour))))
}

// show adds a list of ten items for a user.
func (l *logs) show(id, variant string, user uint64, hours float64) *kindredv1.Decision {
	d := &kindredv1.Decision{RecommendationId: id, UserNumber: user, Time: at(hours), Kind: kindredv1.DecisionKind_DECISION_KIND_RECOMMEND,
		Assignment: &kindredv1.Assignment{Experiment: "x", Variant: variant, Kind: kindredv1.AssignmentKind_ASSIGNMENT_KIND_HASH}}
	for i := range 10 {
		d.Items = append(d.Items, &kindredv1.ShownItem{ItemId: fmt.Sprint("i", i)})
	}
	l.decisions = append(l.decisions, d)
	return d
}

func (l *logs) act(kind kindredv1.EventType, list, item, user string, hours float64) *kindredv1.Event {
	e := &kindredv1.Event{Id: fmt.Sprint("e", len(l.events)), Type: kind, RecommendationId: list, ItemId: item, UserId: user, Time: at(hours)}
	l.events = append(l.events, e)
	return e
}

const (
	clickType    = kindredv1.EventType_EVENT_TYPE_CLICK
	purchaseType = kindredv1.EventType_EVENT_TYPE_PURCHASE
	viewType     = kindredv1.EventType_EVENT_TYPE_VIEW
)

func options() Options {
	return Options{Name: "x", Window: 24 * time.Hour, Clicks: []string{"click"}, Alpha: 0.05, Users: 2000, MaxDecisions: 1_000_000}
}

// Each line below is a rule of the package comment.
func TestEveryActCountsByTheRules(t *testing.T) {
	l := &logs{}
	l.show("a1", "control", 1, 0)
	l.show("a2", "control", 1, 23) // within a day of the first
	l.show("a3", "control", 1, 25) // too late
	l.show("a4", "new", 1, 5)      // a later variant: still the control's user
	l.show("b1", "new", 2, 1)      //
	l.show("c1", "new", 3, 30)     // window still open at hour 40
	l.show("bulk", "new", 4, 1).Kind = kindredv1.DecisionKind_DECISION_KIND_BULK
	l.show("listed", "new", 5, 1).Assignment.Kind = kindredv1.AssignmentKind_ASSIGNMENT_KIND_LISTED
	l.show("asked", "new", 6, 1).Assignment.Kind = kindredv1.AssignmentKind_ASSIGNMENT_KIND_REQUEST
	l.show("nobody", "new", 0, 1).Assignment.Kind = kindredv1.AssignmentKind_ASSIGNMENT_KIND_ANONYMOUS
	l.show("fresh", "new", 0, 1)
	l.show("gone", "old", 7, 1)
	l.show("other", "new", 8, 1).Assignment.Experiment = "y"

	l.act(clickType, "a1", "i1", "ann", 1)
	l.act(clickType, "a1", "i1", "ann", 2)    // the same item of the same list again
	l.act(clickType, "a2", "i1", "ann", 23.5) // of another list
	l.act(clickType, "a4", "i3", "ann", 6)    // counts for the control, too
	l.act(clickType, "a3", "i2", "ann", 26)   // too late
	l.act(viewType, "a1", "i4", "ann", 1)     // no click
	l.act(clickType, "", "i5", "ann", 1)      // names no list
	l.act(clickType, "zzz", "i5", "ann", 1)   // names none of the experiment
	l.act(purchaseType, "", "i1", "ann", 3)   // clicked before
	l.act(purchaseType, "", "i9", "ann", 3)   // not clicked
	l.act(purchaseType, "", "i1", "ann", 27)  // too late
	l.act(purchaseType, "b1", "i7", "bob", 2) // names the list
	l.act(purchaseType, "", "i1", "cat", 3)   // somebody else's click
	l.act(clickType, "c1", "i1", "cat", 31)   // open
	twice := l.act(clickType, "b1", "i1", "bob", 2)
	l.events = append(l.events, proto.Clone(twice).(*kindredv1.Event))
	l.act(viewType, "", "i1", "eve", 40) // the log goes on until then

	r, err := Run(t.Context(), l, options())
	if err != nil {
		t.Fatal(err)
	}
	control, fresh := r.Variants[0], r.Variants[1]
	want := VariantResult{Variant: "control", Share: 0.5, Assigned: 1, Users: 1, Lists: 3, Shown: 30, Clicks: 3, ClickRate: 0.1, Clickers: 1, Purchases: 1}
	if control != want {
		t.Errorf("control %+v\nwant    %+v", control, want)
	}
	want = VariantResult{Variant: "new", Share: 0.5, Assigned: 2, Open: 1, Users: 1, Lists: 1, Shown: 10, Clicks: 1, ClickRate: 0.1, Clickers: 1, Purchases: 1}
	if fresh != want {
		t.Errorf("new  %+v\nwant %+v", fresh, want)
	}
	if left := (Left{Listed: 1, Requested: 1, Anonymous: 1, Newcomers: 1, Bulk: 1, Unknown: 1, Switched: 1}); r.Left != left {
		t.Errorf("left out %+v; want %+v", r.Left, left)
	}
	if !strings.HasPrefix(r.Warning, "1 of 7 lists") {
		t.Errorf("warning %q", r.Warning)
	}
	for _, c := range r.Comparisons {
		if c.Enough || c.Significant || !strings.Contains(c.Text, "too few users") {
			t.Errorf("a verdict on two users: %+v", c)
		}
	}
}

// shopFor makes users who click at a rate of their variant, and see lists at random.
func shopFor(seed uint64, users int, control, fresh, share float64) *logs {
	random := rand.New(rand.NewPCG(seed, 1))
	l := &logs{}
	for u := range users {
		variant, rate := "control", control
		if random.Float64() < share {
			variant, rate = "new", fresh
		}
		hours := float64(u) / 10
		for n := range 1 + random.IntN(4) {
			id := fmt.Sprintf("r%d.%d", u, n)
			l.show(id, variant, uint64(u+1), hours+float64(n))
			for i := range 10 {
				if random.Float64() < rate {
					l.act(clickType, id, fmt.Sprint("i", i), fmt.Sprint("u", u), hours+float64(n)+0.1)
				}
			}
		}
	}
	l.act(viewType, "", "i1", "end", float64(users)/10+48)
	return l
}

func TestBetterVariantIsFoundAndEqualOnesAreNot(t *testing.T) {
	better, err := Run(t.Context(), shopFor(1, 3000, 0.05, 0.08, 0.5), options())
	if err != nil {
		t.Fatal(err)
	}
	if c := better.Comparisons[0]; c.Figure != "click_rate" || !c.Significant || c.Low <= 0 || c.High <= 0.03 || c.CrossedAt == nil ||
		c.CrossedAt.After(better.Until) || !strings.HasPrefix(c.Text, "higher by") {
		t.Errorf("60%% more clicks are %+v", c)
	}
	equal, err := Run(t.Context(), shopFor(2, 3000, 0.05, 0.05, 0.5), options())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range equal.Comparisons {
		if c.Significant || c.Enough && (c.Low > 0 || c.High < 0) {
			t.Errorf("equal variants: %+v", c)
		}
	}
	if better.Mismatch || equal.Mismatch {
		t.Error("a mismatch of shares that fit")
	}
}

func TestLostUsersAreTold(t *testing.T) {
	r, err := Run(t.Context(), shopFor(3, 3000, 0.05, 0.05, 0.42), options())
	if err != nil {
		t.Fatal(err)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.WriteTable(&text), r.Page().Write(&page)); err != nil {
		t.Fatal(err)
	}
	if !r.Mismatch || !strings.Contains(text.String(), "MISMATCH") || !strings.Contains(page.String(), "MISMATCH") {
		t.Errorf("42%% of users where 50%% were meant: p %v, %s", r.Shares.P, text.String())
	}
}

// A read-out in the middle is of the users whose windows were over then, whatever the log holds of later.
func TestReadOutAtATimeIgnoresWhatCameLater(t *testing.T) {
	l := shopFor(4, 2000, 0.05, 0.08, 0.5)
	o := options()
	o.Until = start.Add(100 * time.Hour)
	r, err := Run(t.Context(), l, o)
	if err != nil {
		t.Fatal(err)
	}
	var users, open int
	for _, v := range r.Variants {
		users, open = users+v.Users, open+v.Open
	}
	if users != 761 || open != 2000-761 { // users come every 6 minutes: the last whose day is over came at hour 76
		t.Errorf("%d users, %d open; want 761 and the rest", users, open)
	}
}

func TestFilesAreReadAsGrpcurlPrintsThem(t *testing.T) {
	l := shopFor(5, 300, 0.1, 0.1, 0.5)
	want, err := Run(t.Context(), l, options())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rows := func(name string, each func(i int) proto.Message, n int) string {
		path := filepath.Join(dir, name)
		var b bytes.Buffer
		for i := range n {
			text, err := protojson.MarshalOptions{Multiline: i%2 == 0}.Marshal(each(i))
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(text, '\n'))
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := options()
	o.Variants = []VariantShare{{"control", 1}, {"new", 1}}
	single := Files(rows("d1", func(i int) proto.Message { return l.decisions[i] }, len(l.decisions)),
		rows("e1", func(i int) proto.Message { return l.events[i] }, len(l.events)))
	pages := Files(rows("d2", func(int) proto.Message { return &kindredv1.ExportDecisionsResponse{Decisions: l.decisions} }, 1),
		rows("e2", func(int) proto.Message { return &kindredv1.ExportEventsResponse{Events: l.events} }, 1))
	for name, from := range map[string]Source{"rows": single, "pages": pages} {
		got, err := Run(t.Context(), from, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, errA := json.Marshal(got)
		b, errB := json.Marshal(want)
		if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %s\nwant %s, error %v", name, a, b, err)
		}
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("{}\n{\"time\":5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Files(bad, bad), o); err == nil || !strings.Contains(err.Error(), "JSON value 1") {
		t.Errorf("error %v; want one that names the value", err)
	}
}

func TestFaultsAreTold(t *testing.T) {
	double := &logs{}
	double.show("r", "control", 1, 0)
	double.show("r", "control", 1, 0)
	for name, c := range map[string]struct {
		from   Source
		change func(*Options)
		want   string
	}{
		"nobody":      {&logs{}, func(*Options) {}, "nobody was assigned"},
		"no name":     {&logs{}, func(o *Options) { o.Name = "" }, "no name"},
		"window":      {&logs{}, func(o *Options) { o.Window = 0 }, "window 0s: must be above 0"},
		"no clicks":   {&logs{}, func(o *Options) { o.Clicks = nil }, "no type of event"},
		"one variant": {&logs{}, func(o *Options) { o.Variants = []VariantShare{{"a", 1}} }, "at least 2"},
		"alpha":       {shopFor(1, 10, 0, 0, 0.5), func(o *Options) { o.Alpha = 0 }, "alpha 0"},
		"share":       {shopFor(1, 10, 0, 0, 0.5), func(o *Options) { o.Variants = []VariantShare{{"control", 1}, {"new", 0}} }, "all must be above 0"},
		"twice":       {double, func(*Options) {}, `"r" comes twice`},
		"too many":    {shopFor(1, 10, 0, 0, 0.5), func(o *Options) { o.MaxDecisions = 3 }, "more than 3 decisions; raise"},
		"no files":    {Files("/nonexistent", ""), func(o *Options) { o.Variants = []VariantShare{{"a", 1}, {"b", 1}} }, "no such file"},
	} {
		o := options()
		c.change(&o)
		if _, err := Run(t.Context(), c.from, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v; want %q", name, err, c.want)
		}
	}
}
