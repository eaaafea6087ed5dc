package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"iter"
	"path/filepath"
	"regexp"
	"strings"
)

// reviews reads the files of reviews that UCSD publishes for Amazon (J. McAuley and others), as of 2014, 2018 and 2023: one
// of reviews and, where present, one of products whose name begins with "meta_". A review is a rating of 1 to 5; which
// fields it has says how old the file is, row by row. Its words, pictures and votes are left out: most are longer than an
// event may be. Of a product come the title, description, features, categories, brand and price, where it is one plain
// amount; links to other products, ranks and pictures are left out.
type reviews struct {
	meta, reviews string
	opts          Options
}

const metaPrefix = "meta_"

func openReviews(dir string, opts Options) (Source, error) {
	s := &reviews{opts: opts}
	var err error
	if opts.EventsFile != "" {
		s.reviews, err = find(dir, opts.EventsFile)
	} else {
		s.reviews, err = theOne(dir, false)
	}
	if err != nil {
		return nil, err
	}
	if opts.ItemsFile != "" {
		s.meta, err = find(dir, opts.ItemsFile)
	} else if s.meta, err = theOne(dir, true); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return s, err
}

// theOne finds the file of reviews, or of products: there must be no second one.
func theOne(dir string, meta bool) (string, error) {
	names, err := readDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range names {
		plain := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
		if ending := filepath.Ext(plain); (ending == ".json" || ending == ".jsonl") && strings.HasPrefix(name, metaPrefix) == meta {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("dataset: %s holds no file NAME.json or NAME.jsonl (or .gz, .zst) of reviews: %w", dir, ErrNotFound)
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", fmt.Errorf("dataset: %s holds %s: say which by Options.ItemsFile (products) and Options.EventsFile (reviews)", dir, strings.Join(found, " and "))
}

// Events yields the reviews in time order. Row errors come first, since sorting reads the file whole.
func (s *reviews) Events() iter.Seq2[Event, error] {
	return inTimeOrder(s.opts, eachLine(s.reviews, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(Event) bool) error {
		var r review
		if err := eachMember(line, r.set); err != nil {
			return err
		}
		e, err := r.event()
		if err != nil {
			return err
		}
		emit(e)
		return nil
	}))
}

// review is a row under construction. A product is named by asin and, since 2023, by the parent that its variants share,
// by which the file of products goes.
type review struct {
	what         Event
	asin, parent string
	timed        bool
}

func (r *review) set(key string, raw json.RawMessage) (err *RowError) {
	switch key {
	case "reviewerID", "user_id":
		r.what.User, err = jsonString(key, raw)
	case "asin":
		r.asin, err = jsonString(key, raw)
	case "parent_asin":
		r.parent, err = jsonString(key, raw)
	case "overall", "rating":
		r.what.Value, err = parseNumber(key, string(raw))
		if err == nil && (r.what.Value < 1 || r.what.Value > 5) {
			err = bad(key, string(raw), "must lie between 1 and 5")
		}
		r.what.HasValue = true
	case "unixReviewTime":
		r.what.Time, err = parseTime(key, string(raw), Seconds)
		r.timed = true
	case "timestamp":
		r.what.Time, err = parseTime(key, string(raw), Milliseconds)
		r.timed = true
	}
	return err
}

func (r *review) event() (Event, error) {
	e := r.what
	e.Type, e.Item = TypeRating, r.parent
	if e.Item == "" {
		e.Item = r.asin
	}
	switch {
	case e.User == "":
		return Event{}, bad("user_id", "", "must not be empty (before 2023: reviewerID)")
	case e.Item == "":
		return Event{}, bad("parent_asin", "", "must not be empty (before 2023: asin)")
	case !e.HasValue:
		return Event{}, bad("rating", "", "must not be empty (before 2023: overall)")
	case !r.timed:
		return Event{}, bad("timestamp", "", "must not be empty (before 2023: unixReviewTime)")
	}
	return e, nil
}

func (s *reviews) Items() iter.Seq2[Item, error] {
	return eachLine(s.meta, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(Item) bool) error {
		if line[0] == '{' && len(line) > 1 && line[1] == '\'' {
			return bad("", string(line), "a Python dictionary, as the products of 2014 are; write it as JSON first")
		}
		p := product{opts: &s.opts}
		if err := eachMember(line, p.set); err != nil {
			return err
		}
		item, err := p.finish()
		if err != nil {
			return err
		}
		emit(item)
		return nil
	})
}

// product is an item under construction.
type product struct {
	opts            *Options
	item            Item
	asin, brand     string
	words, features []string
}

func (p *product) set(key string, raw json.RawMessage) (err *RowError) {
	if string(raw) == "null" {
		return nil
	}
	switch key {
	case "parent_asin":
		p.item.ID, err = jsonString(key, raw)
	case "asin":
		p.asin, err = jsonString(key, raw)
	case "title":
		p.item.Title, err = jsonString(key, raw)
		p.item.Title = strings.TrimSpace(html.UnescapeString(p.item.Title))
	case "description":
		p.words, err = wordsOf(key, raw)
	case "feature", "features":
		p.features, err = wordsOf(key, raw)
	case "category", "categories":
		p.item.Categories, err = categoryPaths(key, raw)
	case "brand":
		p.item.Brand, err = jsonString(key, raw)
		p.item.Brand = html.UnescapeString(p.item.Brand)
	case "store":
		p.brand, err = jsonString(key, raw)
	case "price":
		p.item.Price = p.price(raw)
	}
	return err
}

func (p *product) finish() (Item, error) {
	if p.item.ID == "" {
		p.item.ID = p.asin
	}
	if p.item.ID == "" {
		return Item{}, bad("parent_asin", "", "must not be empty (before 2023: asin)")
	}
	if p.item.Brand == "" {
		p.item.Brand = p.brand
	}
	p.item.Description = strings.Join(append(p.words, p.features...), "\n")
	return p.item, nil
}

// wordsOf reads a text, or a list of texts: both stand in these files.
func wordsOf(column string, raw json.RawMessage) ([]string, *RowError) {
	var list []string
	if raw[0] == '"' {
		text, err := jsonString(column, raw)
		if err != nil {
			return nil, err
		}
		list = []string{text}
	} else {
		var err *RowError
		if list, err = jsonStrings(column, raw); err != nil {
			return nil, err
		}
	}
	kept := list[:0]
	for _, text := range list {
		if text = strings.TrimSpace(html.UnescapeString(text)); text != "" {
			kept = append(kept, text)
		}
	}
	return kept, nil
}

// categoryPaths reads one path, a list of its levels, or a list of such paths.
func categoryPaths(column string, raw json.RawMessage) ([]string, *RowError) {
	var nested []json.RawMessage
	if json.Unmarshal(raw, &nested) == nil && len(nested) > 0 && nested[0][0] == '[' {
		var paths []string
		for _, path := range nested {
			levels, err := wordsOf(column, path)
			if err != nil {
				return nil, err
			}
			paths = appendPath(paths, levels)
		}
		return paths, nil
	}
	levels, err := wordsOf(column, raw)
	return appendPath(nil, levels), err
}

func appendPath(paths, levels []string) []string {
	if len(levels) == 0 {
		return paths
	}
	return append(paths, strings.Join(levels, CategorySeparator))
}

// onePrice is an amount alone: "$12.99", "12.99", 12.99, "$1,299.00".
var onePrice = regexp.MustCompile(`^\$?(\d{1,3}(?:,\d{3})+|\d+)(\.\d{1,9})?$`)

// price is none where the file has a range, a formula of the page, or nothing.
func (p *product) price(raw json.RawMessage) Price {
	currency := p.opts.Currency
	if currency == "" {
		currency = "USD"
	}
	m := onePrice.FindStringSubmatch(strings.TrimSpace(strings.Trim(string(raw), `"`)))
	if m == nil {
		return Price{}
	}
	price, err := parsePrice("price", strings.ReplaceAll(m[1], ",", "")+m[2], currency)
	if err != nil {
		return Price{}
	}
	return price
}
