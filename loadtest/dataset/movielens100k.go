package dataset

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// movieLens100K reads the layout of 1998: u.data (user, item, rating, timestamp, between tabs), u.item (id, title, release
// date, video release date, address, and a 0 or 1 for each genre, between "|", in Latin-1) and u.genre (the genres' names).
// It gives what movieLens gives, and the release date as the attribute "release_date".
type movieLens100K struct {
	items, ratings, genres string
	opts                   Options
}

// openMovieLens100K is given the file of ratings, or what was wrong with finding it.
func openMovieLens100K(dir, ratings string, opts Options, err error) (Source, error) {
	if err != nil {
		return nil, err
	}
	s := &movieLens100K{ratings: ratings, opts: opts}
	if s.items, err = find(dir, "u.item"); err != nil {
		return nil, err
	}
	s.genres, err = findOptional(dir, "u.genre")
	return s, err
}

// genres100K is what u.genre of the published file holds, for copies without it.
var genres100K = []string{"unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
	"Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"}

// unknownGenre is a genre that says nothing.
const unknownGenre = "unknown"

// fieldsBeforeGenres are the id, the title, two dates and the address.
const fieldsBeforeGenres = 5

func (s *movieLens100K) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		genres, err := s.genreNames()
		if err != nil {
			yield(Item{}, err)
			return
		}
		eachDecoded(s.items, s.opts.MaxRowBytes, fromLatin1, func(_ int64, line []byte, emit func(Item) bool) error {
			item, err := movie100K(strings.Split(string(line), "|"), genres)
			if err != nil {
				return err
			}
			emit(item)
			return nil
		})(yield)
	}
}

func (s *movieLens100K) genreNames() ([]string, error) {
	if s.genres == "" {
		return genres100K, nil
	}
	var names []string
	for name, err := range eachLine(s.genres, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(string) bool) error {
		name, _, _ := strings.Cut(string(line), "|")
		if name == "" {
			return bad("genre", string(line), "must be a name, \"|\" and a number")
		}
		emit(name)
		return nil
	}) {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// fromLatin1 gives a line in UTF-8. One that is UTF-8 already, as copies of the file are, stays.
func fromLatin1(line []byte) ([]byte, error) {
	if utf8.Valid(line) {
		return line, nil
	}
	runes := make([]rune, len(line))
	for i, b := range line {
		runes[i] = rune(b)
	}
	return []byte(string(runes)), nil
}

func movie100K(f, genres []string) (Item, error) {
	if want := fieldsBeforeGenres + len(genres); len(f) != want {
		return Item{}, bad("", "", "row has %d fields, must have %d: five, and one for each of %d genres", len(f), want, len(genres))
	}
	item, err := movie(f[0], f[1], "")
	if err != nil {
		return Item{}, err
	}
	if f[2] != "" {
		released, err := time.Parse("02-Jan-2006", f[2])
		if err != nil {
			return Item{}, bad("release date", f[2], "must be a day as 01-Jan-1995")
		}
		if item.Attributes == nil {
			item.Attributes = map[string]Value{}
		}
		item.Attributes["release_date"] = TimeValue(released)
	}
	item.URL = f[4]
	for i, flag := range f[fieldsBeforeGenres:] {
		switch {
		case flag == "1" && genres[i] != unknownGenre:
			item.Categories = append(item.Categories, genres[i])
		case flag != "0" && flag != "1":
			return Item{}, bad(genres[i], flag, "must be 0 or 1")
		}
	}
	slices.Sort(item.Categories)
	return item, nil
}

// Events yields the ratings in time order; on ties the order of the file decides. Row errors come first.
func (s *movieLens100K) Events() iter.Seq2[Event, error] {
	return inTimeOrder(s.opts, eachLine(s.ratings, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(Event) bool) error {
		f := strings.Split(string(line), "\t")
		if len(f) != 4 {
			return bad("", string(line), "row has %d fields, must have 4 between tabs: user, item, rating, timestamp", len(f))
		}
		return s.opts.emitAct(ratingAct, [4]string(f), emit)
	}))
}
