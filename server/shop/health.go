package shop

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// CatalogHealth is what was found in a catalog.
type CatalogHealth struct {
	Items   int64
	Checks  []CatalogCheck
	Omitted string // of what was shown; empty: nothing
}

// CatalogCheck is one thing that keeps items from being found.
type CatalogCheck struct {
	Name   string
	Items  int64
	Sample []string // the first ids, at most SampledIDs
	Text   string   // what it means, and what to do
}

// healthTexts say what each check means, in the order of the reply.
var healthTexts = [...]struct{ name, none, some string }{
	{"untitled", "every item has a title", "have no title: they are found by what people do alone, and look empty on a page; add titles to the feed"},
	{"unencoded", "every item has a vector", "have no vector: they are not found by likeness; they have no text, wait for a slow encoder (see TenantStatus.encoding), or their text is refused"},
	{"never_shown", "every item that may be shown was", "may be shown and were not in the range: ask GetExposure with explain_item_id why, and keep places for new items in a policy"},
	{"out_of_stock", "nothing is out of stock", "are out of stock and not shown: remove those that do not come back"},
	{"withheld", "no item is hidden or outside its dates", "are hidden or outside their dates: check hidden, available_from and available_until where that is not meant"},
	{"uncategorised", "every item has a category", "have no category: rules, caps and filters by category do not reach them"},
	{"duplicate_titles", "no two products share a title", "share their title with an item before them and are in no variant_group with it: people see the same thing twice; give variants one variant_group, or remove doubles"},
}

// health counts checks while it goes through the catalog.
type health struct {
	shop   *Shop
	shown  *exposureRead
	now    int64
	items  int64
	checks [len(healthTexts)]CatalogCheck
	seed   maphash.Seed
	titles map[uint64]uint32 // hash of a title: number of the first item with it
}

// CatalogHealth looks at every item once, and at what was shown in a time range (zero: the
// last 7 days, until now). It waits as bulk calls do. Errors: *InputError, ErrOverloaded,
// the context's.
func (s *Shop) CatalogHealth(ctx context.Context, from, until time.Time) (*CatalogHealth, error) {
	window := TrialQuery{From: from, Until: until, Policy: trialPolicy()}
	if _, err := s.newTrial(&window); err != nil {
		return nil, err
	}
	release, err := s.enterBulk(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	h := &health{shop: s, now: s.now().UnixMicro(), seed: maphash.MakeSeed(), titles: map[uint64]uint32{}}
	if h.shown, err = s.readExposure(ctx, &window); err != nil {
		return nil, err
	}
	vectors := s.gen.Load().vectors
	for number, row := range s.table.All() {
		h.look(row, vectors.Vector(number) != nil)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return h.told(), nil
}

func (h *health) look(row *catalog.Row, encoded bool) {
	h.items++
	withheld := row.Withheld(h.now)
	x := h.shown.items[row.Number]
	for i, found := range [...]bool{
		strings.TrimSpace(row.Title) == "",
		!encoded,
		withheld == catalog.None && (x == nil || x.Shown == 0),
		!row.InStock(),
		withheld != catalog.None && row.InStock(),
		row.Category == 0,
		h.double(row),
	} {
		if found {
			h.checks[i].Items++
			sampled(&h.checks[i].Sample, row.ID)
		}
	}
}

// double reports whether an item before has the title, and is no variant of the same.
func (h *health) double(row *catalog.Row) bool {
	title := strings.ToLower(strings.Join(strings.Fields(row.Title), " "))
	if title == "" {
		return false
	}
	key := maphash.String(h.seed, title)
	first, ok := h.titles[key]
	if !ok {
		h.titles[key] = row.Number
		return false
	}
	before := h.shop.table.Row(first)
	return before == nil || row.Group == 0 || before.Group != row.Group
}

func (h *health) told() *CatalogHealth {
	out := &CatalogHealth{Items: h.items, Omitted: strings.Join(h.shown.omitted, "; ")}
	for i, words := range healthTexts {
		c := h.checks[i]
		c.Name, c.Text = words.name, words.none
		if c.Items > 0 {
			c.Text = fmt.Sprintf("%d of %d items (%.1f%%) %s", c.Items, h.items, 100*float64(c.Items)/float64(h.items), words.some)
		}
		out.Checks = append(out.Checks, c)
	}
	return out
}
