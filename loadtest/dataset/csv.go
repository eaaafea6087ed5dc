package dataset

import "iter"

// csvSource reads items and events from files whose header names the fields; see the package comment.
type csvSource struct {
	items, events string // either may be empty: not there
	opts          Options
}

func (s *csvSource) layout() layout { return layout{comma: s.opts.Comma, quoted: true} }

func (s *csvSource) Items() iter.Seq2[Item, error] {
	return eachRecord(s.items, s.layout(), s.opts.MaxRowBytes, func(columns []string) (rowParser[Item], error) {
		bound, err := itemVocabulary.bind(columns, &s.opts)
		return itemRows(columns, bound, splitList, &s.opts), err
	})
}

func (s *csvSource) Events() iter.Seq2[Event, error] {
	return eachRecord(s.events, s.layout(), s.opts.MaxRowBytes, func(columns []string) (rowParser[Event], error) {
		bound, err := bindEvents(columns, &s.opts)
		return eventRows(columns, bound, splitList, &s.opts), err
	})
}

// itemRows parses records into items once it is known which field each column holds. split cuts a cell into a list.
func itemRows(columns []string, bound []*field[itemRow], split func(string) []string, opts *Options) rowParser[Item] {
	return func(_ int64, cells []string, emit func(Item) bool) error {
		var row itemRow
		if err := setCells(&row, columns, bound, cells, split, opts); err != nil {
			return err
		}
		item, err := row.finish(opts)
		if err != nil {
			return err
		}
		emit(item)
		return nil
	}
}

// eventRows is itemRows for events.
func eventRows(columns []string, bound []*field[eventRow], split func(string) []string, opts *Options) rowParser[Event] {
	finisher := newEventFinisher(opts)
	finisher.known, finisher.timed = true, hasField(bound, "time")
	return func(number int64, cells []string, emit func(Event) bool) error {
		var row eventRow
		if err := setCells(&row, columns, bound, cells, split, opts); err != nil {
			return err
		}
		event, err := finisher.finish(number, row)
		if err != nil {
			return err
		}
		emit(event)
		return nil
	}
}

// setCells fills a row from its cells. An empty cell says nothing.
func setCells[T any](row *T, columns []string, bound []*field[T], cells []string, split func(string) []string, opts *Options) *RowError {
	for i, f := range bound {
		if f == nil || cells[i] == "" {
			continue
		}
		texts := cells[i : i+1]
		if f.list {
			if texts = split(cells[i]); len(texts) == 0 {
				continue
			}
		}
		if err := f.set(row, columns[i], texts, opts); err != nil {
			return err
		}
	}
	return nil
}
