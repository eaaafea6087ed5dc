package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestNumberingAgreesWithALookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SliceOf(rapid.Bool()).Draw(t, "good")
		var n numbering
		var twin []int64 // place read of each row sent
		for i, ok := range good {
			if ok {
				n.add(int64(i) + 1)
				twin = append(twin, int64(i)+1)
			}
		}
		for sent, want := range twin {
			if got := n.of(int64(sent)); got != want {
				t.Fatalf("sent row %d was read as %d, want %d", sent, got, want)
			}
		}
	})
}

func TestNumberingForgetsRatherThanGrows(t *testing.T) {
	var n numbering
	for i := range int64(3 * maxGaps) {
		n.add(2*i + 1)
	}
	if len(n.gaps) != maxGaps {
		t.Fatalf("%d gaps are kept, want %d", len(n.gaps), maxGaps)
	}
	if n.of(maxGaps-1) != 2*maxGaps-1 || n.of(2*maxGaps) != 0 {
		t.Errorf("row %d is %d, row %d is %d: want the place, then 0 for not known", maxGaps-1, n.of(maxGaps-1), 2*maxGaps, n.of(2*maxGaps))
	}
}

func TestPauseIsNeverShorterThanTheHintAndGrowsToABound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := patience{tries: rapid.IntRange(0, 100).Draw(t, "tries"), rand: rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))}
		hint := time.Duration(rapid.Int64Range(0, int64(longestHint)).Draw(t, "hint"))
		got := p.pause(hint)
		if hint > 0 && (got < hint || got > hint+hint/2) {
			t.Fatalf("pause %s for the hint %s", got, hint)
		}
		if hint == 0 && (got <= 0 || got > longestPause) {
			t.Fatalf("pause %s without a hint", got)
		}
	})
}

func TestRetryHintIsReadFromTheError(t *testing.T) {
	s, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(700 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if got := retryHint(s.Err()); got != 700*time.Millisecond {
		t.Errorf("hint %s, want 700ms", got)
	}
	if got := retryHint(errors.New("plain")); got != 0 {
		t.Errorf("hint %s of an error without one", got)
	}
}

func TestEveryWireTypeOfEventHasAName(t *testing.T) {
	for _, name := range []string{
		dataset.TypeImpression, dataset.TypeView, dataset.TypeClick, dataset.TypeLike, dataset.TypeDislike, dataset.TypeAddToCart,
		dataset.TypePurchase, dataset.TypeRating, dataset.TypeComment, dataset.TypeSearch, dataset.TypeShare, dataset.TypeHide,
	} {
		m := EventMessage(dataset.Event{Type: name})
		if m.GetType() == kindredv1.EventType_EVENT_TYPE_UNSPECIFIED || m.GetCustomType() != "" {
			t.Errorf("%s became %s %q", name, m.GetType(), m.GetCustomType())
		}
	}
	if len(builtinTypes) != 12 {
		t.Errorf("%d built-in types, want 12", len(builtinTypes))
	}
	if m := EventMessage(dataset.Event{Type: "unspecified"}); m.GetCustomType() != "unspecified" {
		t.Errorf("a type of the tenant's own became %s", m.GetType())
	}
}

func TestItemKeepsEveryField(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)
	stock := int64(7)
	m := itemMessage(dataset.Item{
		ID: "1", Title: "t", Description: "d", Categories: []string{"A > B"}, Tags: []string{"x"}, Brand: "b", Seller: "s", Language: "en",
		Price: dataset.Price{Currency: "EUR", Units: 12, Nanos: 990_000_000, Has: true}, Stock: &stock,
		AvailableFrom: at, AvailableUntil: at.Add(1), Created: at.Add(2), SourceTime: at.Add(3),
		URL: "u", ImageURL: "i", Group: "g", Hidden: true,
		Attributes: map[string]dataset.Value{
			"s": dataset.StringValue("v"), "n": dataset.NumberValue(1.5), "b": dataset.BoolValue(true), "t": dataset.TimeValue(at),
			"l": dataset.StringsValue([]string{"p", "q"}), "m": dataset.NumbersValue([]float64{1, 2}),
		},
	})
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Name() != "vector" && !m.ProtoReflect().Has(f) {
			t.Errorf("%s is lost", f.Name())
		}
	}
	for name, v := range m.GetAttributes() {
		if v.GetKind() == nil {
			t.Errorf("attribute %s is lost", name)
		}
	}
}

func TestCheckHoldsEventsAgainstTheContract(t *testing.T) {
	now := time.Now()
	good := func() *kindredv1.Event {
		return EventMessage(dataset.Event{ID: "1", User: "u", Item: "i", Type: "view", Time: now})
	}
	if p := checkEvent(good(), now); p != nil {
		t.Fatalf("a good event: %+v", p)
	}
	rating := 5.5
	for field, spoil := range map[string]func(*kindredv1.Event){
		"id":                func(e *kindredv1.Event) { e.Id = strings.Repeat("x", 129) },
		"user_id":           func(e *kindredv1.Event) { e.UserId = "" },
		"item_id":           func(e *kindredv1.Event) { e.ItemId = "" },
		"type":              func(e *kindredv1.Event) { e.Type, e.CustomType = 0, "No Good" },
		"value":             func(e *kindredv1.Event) { e.Type, e.Value = kindredv1.EventType_EVENT_TYPE_RATING, &rating },
		"text":              func(e *kindredv1.Event) { e.Text = strings.Repeat("x", 8193) },
		"time":              func(e *kindredv1.Event) { e.Time = timeMessage(now.Add(2 * time.Hour)) },
		"recommendation_id": func(e *kindredv1.Event) { e.RecommendationId = strings.Repeat("x", 65) },
		"position":          func(e *kindredv1.Event) { e.Position = 10_001 },
		"surface":           func(e *kindredv1.Event) { e.Surface = strings.Repeat("x", 64) },
	} {
		e := good()
		spoil(e)
		if p := checkEvent(e, now); p == nil || p.field != field {
			t.Errorf("spoilt %s: %+v", field, p)
		}
	}
}

func TestOptionsNameWhatIsWrong(t *testing.T) {
	share := 1.5
	for want, opts := range map[string]Options{
		"data is empty":         {},
		"choose one":            {Data: "d", ItemsOnly: true, EventsOnly: true},
		`mode "swap"`:           {Data: "d", Mode: "swap"},
		"leave out events only": {Data: "d", Mode: Replace, EventsOnly: true},
		"confirm drop 1.5":      {Data: "d", ConfirmDrop: &share},
		"batch 1001":            {Data: "d", Batch: 1001},
		"in flight 257":         {Data: "d", InFlight: 257},
		"retry for 2h0m0s":      {Data: "d", RetryFor: 2 * time.Hour},
		"max errors -1":         {Data: "d", MaxErrors: -1},
		`unknown format "tsv"`:  {Data: "d", Format: "tsv"},
		"file not found":        {Data: "no/such/folder", Format: dataset.CSV},
	} {
		if _, err := Run(t.Context(), opts, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCommandIsReadFromTheCommandLine(t *testing.T) {
	t.Setenv("KINDRED_KEY", "from the environment")
	var cli struct {
		Import Command `cmd:""`
	}
	parser, err := kong.New(&cli, kong.Name("server"), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(strings.Fields("import --format csv --data shop --map title=name,price=cost --comma tab --mode replace --confirm-drop 0.3 --max-errors 9 --time-unit ms"))
	if err != nil {
		t.Fatal(err)
	}
	opts, err := cli.Import.options()
	if err != nil {
		t.Fatal(err)
	}
	if opts.Key != "from the environment" || opts.Mode != Replace || *opts.ConfirmDrop != 0.3 || opts.MaxErrors != 9 ||
		opts.Batch != 100 || opts.InFlight != 8 || opts.RetryFor != 30*time.Second || opts.Addr != DefaultAddr {
		t.Errorf("%+v", opts)
	}
	if f := opts.Files; f.Comma != '\t' || f.TimeUnit != dataset.Milliseconds || len(f.Map) != 2 || f.Map[1] != (dataset.Mapping{Field: "price", Column: "cost"}) {
		t.Errorf("%+v", f)
	}
	if _, err := parser.Parse(strings.Fields("import --format csv --data shop --items-only --events-only")); err == nil {
		t.Error("items only and events only are both taken")
	}
	var help bytes.Buffer
	parser.Stdout = &help
	_, _ = parser.Parse([]string{"import", "--help"})
	if !strings.Contains(help.String(), "go run ./server import --format movielens") {
		t.Errorf("the help has no example:\n%s", help.String())
	}
}

func TestFormatsOfTheCommandAreThoseOfTheReaders(t *testing.T) {
	for _, f := range dataset.Formats() {
		c := Command{Format: string(f), Data: "d", Comma: ","}
		if _, err := c.options(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestSummaryIsOneLineOfJSON(t *testing.T) {
	addr, _ := serve(t, &service{memory: newMemory()}, "")
	var out bytes.Buffer
	command := Command{Format: "csv", Data: shop(t, 3, 2, 4), Addr: addr, Comma: ",", Mode: "merge", JSON: true}
	if err := command.run(t.Context(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var got Summary
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	if got.Items.Added != 3 || got.Events.Added != 8 || !got.Complete || got.EventsPerSecond <= 0 || got.User == "" {
		t.Errorf("%s", out.String())
	}
}

func TestNumbersAreGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 17_227: "17,227", 1_234_567: "1,234,567", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d became %q, want %q", n, got, want)
		}
	}
}
