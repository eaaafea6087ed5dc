package dataset

import (
	"iter"
	"regexp"
	"strconv"
	"strings"
)

// movieLens reads movies.csv (movieId, title, genres), ratings.csv (userId, movieId, rating, timestamp) and, where present,
// tags.csv (userId, movieId, tag, timestamp). The year moves from the title into the attribute "year"; a genre is a
// category. A rating becomes a "rating" with a value of 0.5 to 5, a tag a "comment" with a text.
type movieLens struct {
	movies, ratings, tags string
	opts                  Options
}

// openMovieLens tells the two layouts apart by the file of ratings.
func openMovieLens(dir string, opts Options) (Source, error) {
	if old, err := findOptional(dir, "u.data"); err != nil || old != "" {
		return openMovieLens100K(dir, old, opts, err)
	}
	s := &movieLens{opts: opts}
	var err error
	if s.movies, err = find(dir, "movies.csv"); err != nil {
		return nil, err
	}
	if s.ratings, err = find(dir, "ratings.csv"); err != nil {
		return nil, err
	}
	if s.tags, err = findOptional(dir, "tags.csv"); err != nil {
		return nil, err
	}
	return s, nil
}

var commaQuoted = layout{comma: ',', quoted: true}

func (s *movieLens) Items() iter.Seq2[Item, error] {
	return eachRecord(s.movies, commaQuoted, s.opts.MaxRowBytes, func(columns []string) (rowParser[Item], error) {
		at, err := places(columns, "movieId", "title", "genres")
		if err != nil {
			return nil, err
		}
		return func(_ int64, f []string, emit func(Item) bool) error {
			item, err := movie(f[at[0]], f[at[1]], f[at[2]])
			if err != nil {
				return err
			}
			emit(item)
			return nil
		}, nil
	})
}

// titleYear finds the year at the end of a title: "Heat (1995)".
var titleYear = regexp.MustCompile(`^(.*\S)\s*\((\d{4})\)\s*$`)

const noGenres = "(no genres listed)"

func movie(id, title, genres string) (Item, error) {
	if id == "" {
		return Item{}, bad("movieId", "", "must not be empty")
	}
	if strings.TrimSpace(title) == "" {
		return Item{}, bad("title", title, "must not be empty")
	}
	item := Item{ID: id, Title: strings.TrimSpace(title)}
	if m := titleYear.FindStringSubmatch(title); m != nil {
		year, _ := strconv.Atoi(m[2]) // four digits: cannot fail
		item.Title = m[1]
		item.Attributes = map[string]Value{"year": NumberValue(float64(year))}
	}
	if genres != noGenres && genres != "" {
		item.Categories = strings.Split(genres, "|")
	}
	return item, nil
}

// Events yields ratings and tags merged in time order; on ties ratings come first, then the order of the files decides.
// Row errors of both files come before the first event, since sorting reads them whole.
func (s *movieLens) Events() iter.Seq2[Event, error] {
	return inTimeOrder(s.opts, s.ratingRows(), s.tagRows())
}

func (s *movieLens) ratingRows() iter.Seq2[Event, error] {
	return s.rows(s.ratings, "rating", ratingAct)
}

func ratingAct(text string) (Event, *RowError) {
	value, err := parseNumber("rating", text)
	if err == nil && (value < 0.5 || value > 5) {
		err = bad("rating", text, "must lie between 0.5 and 5")
	}
	return Event{Type: TypeRating, Value: value, HasValue: true}, err
}

// emitAct makes an event of a user, an item, what was done, and a time.
func (o Options) emitAct(act func(string) (Event, *RowError), f [4]string, emit func(Event) bool) error {
	e, err := act(f[2])
	if err != nil {
		return err
	}
	if e.User, e.Item = f[0], f[1]; e.User == "" || e.Item == "" {
		return bad("", strings.Join(f[:], ","), "userId and movieId must not be empty")
	}
	if e.Time, err = parseTime("timestamp", f[3], o.TimeUnit); err != nil {
		return err
	}
	emit(e)
	return nil
}

func (s *movieLens) tagRows() iter.Seq2[Event, error] {
	return s.rows(s.tags, "tag", func(text string) (Event, *RowError) {
		if strings.TrimSpace(text) == "" {
			return Event{}, bad("tag", text, "must not be empty")
		}
		return Event{Type: TypeComment, Text: text}, nil
	})
}

func (s *movieLens) rows(path, what string, act func(string) (Event, *RowError)) iter.Seq2[Event, error] {
	return eachRecord(path, commaQuoted, s.opts.MaxRowBytes, func(columns []string) (rowParser[Event], error) {
		at, err := places(columns, "userId", "movieId", what, "timestamp")
		if err != nil {
			return nil, err
		}
		return func(_ int64, f []string, emit func(Event) bool) error {
			return s.opts.emitAct(act, [4]string{f[at[0]], f[at[1]], f[at[2]], f[at[3]]}, emit)
		}, nil
	})
}
