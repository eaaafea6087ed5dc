package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// told is the story of one seed against the service itself.
func told(t *testing.T, seed uint64) (Outcome, string) {
	t.Helper()
	var out bytes.Buffer
	outcome, err := Tell(t.Context(), realService(t), &out, Options{Shop: Config{Seed: seed}, Addr: "127.0.0.1:50051"})
	if err != nil {
		t.Fatalf("%v after:\n%s", err, out.String())
	}
	return outcome, out.String()
}

func TestTheStoryIsToldWithAModelTrainedOnTheShop(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		conn := realService(t)
		var out bytes.Buffer
		o, err := Tell(t.Context(), conn, &out, Options{Shop: Config{Seed: seed}, Addr: "127.0.0.1:50051", Train: true})
		if err != nil {
			t.Fatalf("%v after:\n%s", err, out.String())
		}
		l := o.Learned
		if l == nil || l.Result.Cases < 100 || l.Result.Model.NDCG10 < 2*l.Result.Popular.NDCG10 || !l.Verdict.Promoted || !l.Verdict.Serving {
			t.Fatalf("learned %+v", l)
		}
		checkVisits(t, o)
		checkShop(t, o)
		checkLayout(t, out.String())
		hash := l.Result.Bundle.Hash().Short()
		for _, v := range o.Visits {
			if g := v.After.GetInfo().GetGeneration(); !strings.HasSuffix(g, "bundle:"+hash) {
				t.Errorf("seed %d: generation %q served, want that of model %s", seed, g, hash)
			}
		}
	}
}

func ids(items []*kindredv1.RecommendedItem) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.GetItemId()
	}
	return list
}

func TestStoryHoldsAgainstTheService(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			outcome, text := told(t, seed)
			if up := outcome.Uploaded; up.Items != int64(len(outcome.Shop.Items)) || up.Events != int64(len(outcome.Shop.Events)) {
				t.Errorf("uploaded %d of %d items, %d of %d events", up.Items, len(outcome.Shop.Items), up.Events, len(outcome.Shop.Events))
			}
			checkVisits(t, outcome)
			checkShop(t, outcome)
			checkNeighbours(t, outcome)
			checkLayout(t, text)
		})
	}
}

// checkVisits: everybody's list is full, changes with the clicks, reflects them, and goes where the clicks went.
func checkVisits(t *testing.T, o Outcome) {
	t.Helper()
	if len(o.Visits) != 3 {
		t.Fatalf("%d visits, want 3", len(o.Visits))
	}
	department := departmentsOf(o.Shop)
	tiers := [3][2]kindredv1.Tier{
		{kindredv1.Tier_TIER_PERSONALIZED, kindredv1.Tier_TIER_PERSONALIZED},
		{kindredv1.Tier_TIER_ITEM_NEIGHBOURS, kindredv1.Tier_TIER_SESSION},
		{kindredv1.Tier_TIER_POPULAR, kindredv1.Tier_TIER_PERSONALIZED},
	}
	for i, v := range o.Visits {
		if v.Before.GetTier() != tiers[i][0] || v.After.GetTier() != tiers[i][1] {
			t.Errorf("visit %d: tiers %s and %s, want %v", i+1, v.Before.GetTier(), v.After.GetTier(), tiers[i])
		}
		before, after := ids(v.Before.GetItems()), ids(v.After.GetItems())
		if len(before) != shown || len(after) != shown {
			t.Errorf("visit %d: %d and %d items, want %d", i+1, len(before), len(after), shown)
		}
		if slices.Equal(before, after) {
			t.Errorf("visit %d: the clicks change nothing", i+1)
		}
		if lag := v.After.GetInfo().GetLag(); lag != 0 {
			t.Errorf("visit %d: the reply lags by %d", i+1, lag)
		}
		// The visitor on a product page stays within its department; the others go to another.
		last := department[v.Clicks[len(v.Clicks)-1].GetItemId()]
		if i != 1 && count(before, department, last) >= count(after, department, last) {
			t.Errorf("visit %d: %d items of %s before, %d after the clicks there", i+1, count(before, department, last), last, count(after, department, last))
		}
		for _, it := range v.After.GetItems() {
			if len(it.GetReasons()) == 0 || it.GetItem().GetTitle() == "" {
				t.Errorf("visit %d: %s comes without a reason or without its row", i+1, it.GetItemId())
			}
		}
	}
}

func count(items []string, department map[string]string, of string) int {
	n := 0
	for _, id := range items {
		if department[id] == of {
			n++
		}
	}
	return n
}

// checkShop: what is sold out is gone, and a filter filters.
func checkShop(t *testing.T, o Outcome) {
	t.Helper()
	if before := ids(o.Visits[0].After.GetItems()); !slices.Contains(before, o.SoldOut) || slices.Contains(ids(o.Without.GetItems()), o.SoldOut) {
		t.Errorf("%s sells out: before %v, after %v", o.SoldOut, before, ids(o.Without.GetItems()))
	}
	if len(o.Filtered.GetItems()) == 0 {
		t.Errorf("the filter %s leaves nothing", o.Filter)
	}
	for _, it := range o.Filtered.GetItems() {
		if departmentOf(it.GetItem()) != freshInterest || it.GetItem().GetPrice().GetUnits() >= 30 {
			t.Errorf("the filter %s lets %v pass", o.Filter, it.GetItem())
		}
	}
}

// checkNeighbours: what is like an item is of its department, and what goes with it is of a shelf that is visited after it.
func checkNeighbours(t *testing.T, o Outcome) {
	t.Helper()
	items := map[string]*kindredv1.Item{}
	for _, item := range o.Shop.Items {
		items[item.GetId()] = item
	}
	anchor := items[o.Anchor]
	if like := ids(o.Similar.GetItems()); len(like) == 0 || departmentOf(items[like[0]]) != departmentOf(anchor) {
		t.Errorf("similar to %s: %v", o.Anchor, like)
	}
	if with := ids(o.Together.GetItems()); !slices.ContainsFunc(with, func(id string) bool {
		return slices.Contains(shelfNamed(shelfOf(anchor)).then, shelfOf(items[id]))
	}) {
		t.Errorf("bought together with %s: %v", o.Anchor, with)
	}
}

// checkLayout: it fits a terminal of 100 columns, is plain text, and ends with something to do.
func checkLayout(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	for _, want := range []string{"a regular", "Somebody without a name", "new today", "grpcurl -plaintext -d", "127.0.0.1:50051", "out of stock", "+ "} {
		if !strings.Contains(text, want) {
			t.Errorf("the story lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, "%!") || strings.Contains(text, "nothing changed") {
		t.Errorf("colour in a file, a broken format, or a list that stays:\n%s", text)
	}
}

func TestStoryCanBeToldTwiceOnOneStore(t *testing.T) {
	conn := realService(t)
	for range 2 {
		if _, err := Tell(t.Context(), conn, io.Discard, Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk fails after some writes.
type fullDisk struct{ left int }

var errFull = errors.New("no space")

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestStoryEndsWithTheFirstFailure(t *testing.T) {
	if _, err := Tell(t.Context(), realService(t), &fullDisk{left: 5}, Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want that of the output", err)
	}
	if _, err := Tell(t.Context(), realService(t), io.Discard, Options{Shop: Config{Weeks: 99}}); err == nil {
		t.Error("a shop out of its bounds is told of")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Tell(ctx, realService(t), io.Discard, Options{}); err == nil {
		t.Error("a cancelled story is told")
	}
}

// forgetful answers every recommendation with the same item, whatever its stock.
type forgetful struct {
	grpc.ClientConnInterface
	item *kindredv1.Item
}

func (f *forgetful) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if r, ok := reply.(*kindredv1.RecommendResponse); ok {
		r.Items = []*kindredv1.RecommendedItem{{ItemId: f.item.GetId(), Item: f.item}}
		return nil
	}
	return f.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}

func TestSoldOutItemThatIsStillRecommendedIsAnError(t *testing.T) {
	var out bytes.Buffer
	_, err := Tell(t.Context(), &forgetful{realService(t), generate(t, Config{}).Items[0]}, &out, Options{})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "sold out and still recommended") {
		t.Errorf("error %v, want that of a broken promise", err)
	}
	if !strings.Contains(out.String(), "nothing changed") {
		t.Errorf("a list that stays is told of as if it changed:\n%s", out.String())
	}
}

func TestListsAreComparedByPlace(t *testing.T) {
	list := func(ids ...string) (items []*kindredv1.RecommendedItem) {
		for _, id := range ids {
			items = append(items, &kindredv1.RecommendedItem{ItemId: id})
		}
		return items
	}
	moves, gone := compareLists(list("a", "b", "c", "d"), list("c", "x", "b", "d"))
	want := []move{{up: 2}, {isNew: true}, {up: -1}, {}}
	if !slices.Equal(moves, want) || !slices.Equal(ids(gone), []string{"a"}) {
		t.Errorf("moves %v, gone %v; want %v, a", moves, ids(gone), want)
	}
	if got := changes(moves, gone); got != "1 new, 2 moved, 1 gone" {
		t.Errorf("%q", got)
	}
}

func TestTextIsCutAndWrappedByColumns(t *testing.T) {
	for text, want := range map[string]string{"short": "short", "12345678": "12345678", "123456789": "1234567…", "ä3456789x": "ä345678…", "123456, 9": "123456…"} {
		if got := cut(text, 8); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := wrap("one two three  four", 9); !slices.Equal(got, []string{"one two", "three", "four"}) {
		t.Errorf("wrapped: %q", got)
	}
}

func TestColourIsForTerminals(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if wantsColor(file, ColorAuto) || wantsColor(&bytes.Buffer{}, ColorAuto) || !wantsColor(file, ColorAlways) || wantsColor(file, ColorNever) {
		t.Error("colour where it was not wanted, or none where it was")
	}
	if s := (&screen{color: true}).bold("x"); s != "\x1b[1mx\x1b[0m" {
		t.Errorf("%q", s)
	}
}
