package demo

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var end = time.Date(2026, 3, 14, 15, 9, 0, 0, time.UTC)

func generate(t *testing.T, c Config) *Shop {
	t.Helper()
	if c.Now.IsZero() {
		c.Now = end
	}
	s, err := Generate(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSameConfigGivesTheSameShop(t *testing.T) {
	a, b := generate(t, Config{Seed: 7}), generate(t, Config{Seed: 7})
	if len(a.Items) != len(b.Items) || len(a.Events) != len(b.Events) {
		t.Fatalf("%d and %d items, %d and %d events", len(a.Items), len(b.Items), len(a.Events), len(b.Events))
	}
	for i := range a.Items {
		if !proto.Equal(a.Items[i], b.Items[i]) {
			t.Fatalf("item %d differs: %v and %v", i, a.Items[i], b.Items[i])
		}
	}
	for i := range a.Events {
		if !proto.Equal(a.Events[i], b.Events[i]) {
			t.Fatalf("event %d differs: %v and %v", i, a.Events[i], b.Events[i])
		}
	}
	other := generate(t, Config{Seed: 8})
	if slices.EqualFunc(a.Events, other.Events, func(x, y *kindredv1.Event) bool { return proto.Equal(x, y) }) {
		t.Error("another seed gives the same events")
	}
}

func TestShopIsOfAUsefulSize(t *testing.T) {
	for seed := range uint64(5) {
		s := generate(t, Config{Seed: seed})
		if n := len(s.Items); n < 400 || n > 600 {
			t.Errorf("seed %d: %d items, want 400 to 600", seed, n)
		}
		if n := len(s.Events); n < 4000 || n > 10_000 {
			t.Errorf("seed %d: %d events, want a few thousand", seed, n)
		}
		seen := map[string]bool{}
		for _, item := range s.Items {
			seen[strings.Split(item.GetCategories()[0], " > ")[0]] = true
		}
		if len(s.Users) != 300 || len(seen) != 8 {
			t.Errorf("seed %d: %d users, %d departments", seed, len(s.Users), len(seen))
		}
	}
}

// hole finds what a template leaves behind when something was not filled in, and slips of the hand.
var hole = regexp.MustCompile(`[{}%]|\s\s|\s[,.;:]|^\s|\s$|,,|\.\.|<nil>|NaN|\(\)`)

func TestTextsHaveNoHolesAndNoDuplicates(t *testing.T) {
	for seed := range uint64(5) {
		s := generate(t, Config{Seed: seed})
		ids, titles := map[string]bool{}, map[string]bool{}
		texts := map[string]string{} // description to the product it belongs to
		for _, item := range s.Items {
			if ids[item.GetId()] || titles[item.GetTitle()] {
				t.Errorf("seed %d: %q stands twice", seed, item.GetTitle())
			}
			ids[item.GetId()], titles[item.GetTitle()] = true, true
			for _, text := range append([]string{item.GetTitle(), item.GetDescription(), item.GetId(), item.GetCategories()[0]}, item.GetTags()...) {
				if text == "" || hole.MatchString(text) || !utf8.ValidString(text) {
					t.Errorf("seed %d: %s: broken text %q", seed, item.GetId(), text)
				}
			}
			checkSentence(t, item)
			product := strings.TrimPrefix(strings.SplitN(item.GetTitle(), ",", 2)[0], item.GetBrand()+" ")
			if old, ok := texts[item.GetDescription()]; ok && old != product {
				t.Errorf("seed %d: %q and %q share a description", seed, old, product)
			}
			texts[item.GetDescription()] = product
		}
	}
}

func checkSentence(t *testing.T, item *kindredv1.Item) {
	t.Helper()
	d := item.GetDescription()
	if n := len(strings.Fields(d)); n < 9 || n > 40 {
		t.Errorf("%s: the description has %d words, want 9 to 40", item.GetId(), n)
	}
	if first, _ := utf8.DecodeRuneInString(d); strings.ToUpper(string(first)) != string(first) || !strings.HasSuffix(d, ".") {
		t.Errorf("%s: no sentence: %q", item.GetId(), d)
	}
	if len(item.GetTitle()) > 70 || !strings.HasPrefix(item.GetTitle(), item.GetBrand()+" ") {
		t.Errorf("title %q: too long, or without its brand %q", item.GetTitle(), item.GetBrand())
	}
}

func TestItemsKeepTheContract(t *testing.T) {
	soldOut, unlimited, grouped := 0, 0, map[string]int{}
	for _, item := range generate(t, Config{}).Items {
		if id := item.GetId(); len(id) > 128 || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(id) {
			t.Errorf("id %q", id)
		}
		if p := item.GetPrice(); p.GetCurrencyCode() != "EUR" || p.GetUnits() < 1 || p.GetUnits() > 999 || p.GetNanos() < 0 || p.GetNanos() > 999_999_999 {
			t.Errorf("%s costs %v", item.GetId(), p)
		}
		switch {
		case item.Stock == nil:
			unlimited++
		case item.GetStock() == 0:
			soldOut++
		}
		if at := item.GetCreateTime().AsTime(); at.After(end) || at.Before(end.AddDate(-3, 0, 0)) {
			t.Errorf("%s was made at %s", item.GetId(), at)
		}
		grouped[item.GetVariantGroup()]++
	}
	if soldOut == 0 || unlimited == 0 {
		t.Errorf("%d items sold out, %d without a limit: want some of both", soldOut, unlimited)
	}
	for group, n := range grouped {
		if group != "" && n < 2 {
			t.Errorf("variant group %q has one item", group)
		}
	}
}

func TestShelvesNameOneAnother(t *testing.T) {
	names := map[string]bool{}
	for _, d := range departments {
		for _, s := range d.shelves {
			if names[s.name] {
				t.Errorf("two shelves are named %q", s.name)
			}
			names[s.name] = true
		}
	}
	for _, d := range departments {
		for _, s := range d.shelves {
			for _, next := range s.then {
				if !names[next] || next == s.name {
					t.Errorf("after %q comes %q, which is no other shelf", s.name, next)
				}
			}
		}
	}
}

// history is what one visitor did, in order.
func histories(s *Shop) map[string][]*kindredv1.Event {
	by := map[string][]*kindredv1.Event{}
	for _, e := range s.Events {
		who := e.GetUserId()
		if who == "" {
			who = e.GetSessionId()
		}
		by[who] = append(by[who], e)
	}
	return by
}

func TestEveryUserHasABelievableHistory(t *testing.T) {
	s := generate(t, Config{Seed: 3})
	by := histories(s)
	for _, u := range s.Users {
		log := by[u.ID]
		if len(log) < 2 {
			t.Errorf("%s did %d things", u.ID, len(log))
		}
		checkSteps(t, u.ID, log)
		if u.Taste() == "" || hole.MatchString(u.Taste()) {
			t.Errorf("%s: taste %q", u.ID, u.Taste())
		}
		sum := 0.0
		for _, in := range u.Interests {
			sum += in.Share
		}
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("%s: shares add up to %v", u.ID, sum)
		}
	}
}

// checkSteps: nothing goes into the cart unseen, nothing is bought that was not in the cart, and nothing is rated that was
// not bought.
func checkSteps(t *testing.T, who string, log []*kindredv1.Event) {
	t.Helper()
	done := map[string]map[kindredv1.EventType]bool{}
	before := map[kindredv1.EventType]kindredv1.EventType{
		kindredv1.EventType_EVENT_TYPE_LIKE:        kindredv1.EventType_EVENT_TYPE_VIEW,
		kindredv1.EventType_EVENT_TYPE_DISLIKE:     kindredv1.EventType_EVENT_TYPE_VIEW,
		kindredv1.EventType_EVENT_TYPE_ADD_TO_CART: kindredv1.EventType_EVENT_TYPE_VIEW,
		kindredv1.EventType_EVENT_TYPE_PURCHASE:    kindredv1.EventType_EVENT_TYPE_ADD_TO_CART,
		kindredv1.EventType_EVENT_TYPE_RATING:      kindredv1.EventType_EVENT_TYPE_PURCHASE,
		kindredv1.EventType_EVENT_TYPE_COMMENT:     kindredv1.EventType_EVENT_TYPE_RATING,
	}
	for _, e := range log {
		id := e.GetItemId()
		if done[id] == nil {
			done[id] = map[kindredv1.EventType]bool{}
		}
		if first, ok := before[e.GetType()]; ok && !done[id][first] {
			t.Errorf("%s: %s of %s without %s", who, e.GetType(), id, first)
		}
		done[id][e.GetType()] = true
	}
}

func TestEventsKeepTheContract(t *testing.T) {
	s := generate(t, Config{Seed: 3})
	items, ids := map[string]bool{}, map[string]bool{}
	for _, item := range s.Items {
		items[item.GetId()] = true
	}
	last := time.Time{}
	anonymous := 0
	for _, e := range s.Events {
		at := e.GetTime().AsTime()
		if at.Before(last) || at.After(end) || at.Before(end.AddDate(0, 0, -7*6)) {
			t.Fatalf("%s at %s: out of order, or out of the six weeks before %s", e.GetId(), at, end)
		}
		last = at
		if ids[e.GetId()] || e.GetId() == "" {
			t.Errorf("id %q stands twice", e.GetId())
		}
		ids[e.GetId()] = true
		if search := e.GetType() == kindredv1.EventType_EVENT_TYPE_SEARCH; search == items[e.GetItemId()] || search == (e.GetText() == "") && e.GetType() != kindredv1.EventType_EVENT_TYPE_COMMENT {
			t.Errorf("%v: a search has a text, all else an item", e)
		}
		if e.GetUserId() == "" && e.GetSessionId() == "" {
			t.Errorf("%s is nobody's", e.GetId())
		}
		if e.GetUserId() == "" {
			anonymous++
		}
		if v := e.GetValue(); e.GetType() == kindredv1.EventType_EVENT_TYPE_RATING && (v < 1 || v > 5) {
			t.Errorf("%s: %v stars", e.GetId(), v)
		}
	}
	if end.Sub(last) > 24*time.Hour {
		t.Errorf("the last event is of %s, a day before the end", last)
	}
	if anonymous == 0 {
		t.Error("no anonymous session")
	}
}

func TestUsersKeepToTheirTaste(t *testing.T) {
	s := generate(t, Config{Seed: 3})
	department := departmentsOf(s)
	liked, all := 0, 0
	users := map[string]User{}
	for _, u := range s.Users {
		users[u.ID] = u
	}
	for _, e := range s.Events {
		if u, ok := users[e.GetUserId()]; ok && e.GetItemId() != "" {
			all++
			if u.likes(department[e.GetItemId()]) {
				liked++
			}
		}
	}
	if share := float64(liked) / float64(all); share < 0.9 {
		t.Errorf("%.2f of what users do lies in departments that they like, want .9 and more", share)
	}
}

func departmentsOf(s *Shop) map[string]string {
	m := map[string]string{}
	for _, item := range s.Items {
		m[item.GetId()] = strings.Split(item.GetCategories()[0], " > ")[0]
	}
	return m
}

func TestPrinterIsFollowedByItsInk(t *testing.T) {
	s := generate(t, Config{Seed: 3, Users: 2000})
	shelf, items := map[string]string{}, map[string]*kindredv1.Item{}
	for _, item := range s.Items {
		shelf[item.GetId()], items[item.GetId()] = shelfOf(item), item
	}
	bought, followed, fitting := 0, 0, 0
	for _, log := range histories(s) {
		for i, e := range log {
			if e.GetType() != kindredv1.EventType_EVENT_TYPE_PURCHASE || shelf[e.GetItemId()] != "Printers" {
				continue
			}
			bought++
			for _, later := range log[i+1:] {
				if shelf[later.GetItemId()] == "Ink and toner" {
					followed++
					printer, ink := items[e.GetItemId()], items[later.GetItemId()]
					if ink.GetBrand() == printer.GetBrand() && strings.Contains(printer.GetTitle(), "laser") == strings.Contains(ink.GetTitle(), "toner") {
						fitting++
					}
					break
				}
			}
		}
	}
	if bought < 20 || float64(followed) < 0.5*float64(bought) || float64(fitting) < 0.7*float64(followed) {
		t.Errorf("of %d printers bought, ink was looked at after %d, ink that fits after %d", bought, followed, fitting)
	}
}

func TestOneMoreUserChangesNoOther(t *testing.T) {
	few, more := histories(generate(t, Config{Seed: 5, Users: 20})), histories(generate(t, Config{Seed: 5, Users: 21}))
	for who, log := range few {
		if !slices.EqualFunc(log, more[who], func(a, b *kindredv1.Event) bool { return proto.Equal(a, b) }) {
			t.Errorf("%s does other things in a shop with one more user", who)
		}
	}
}

func TestConfigOutOfBoundsIsNamed(t *testing.T) {
	for want, c := range map[string]Config{"5001 users": {Users: 5001}, "-1 users": {Users: -1}, "53 weeks": {Weeks: 53}} {
		if _, err := Generate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestSmallShopHasAllShelves(t *testing.T) {
	s := Small(end)
	if len(s.Users) != 40 || len(s.Items) < 400 || len(s.Events) < 300 {
		t.Errorf("%d users, %d items, %d events", len(s.Users), len(s.Items), len(s.Events))
	}
}
