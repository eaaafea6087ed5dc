package dataset

import (
	"encoding/json"
	"iter"
)

// amazon reads items.jsonl (item_id, title, description), train.jsonl (user_id, items in time order) and test.jsonl
// (user_id, history, target). These are reviews by buyers, so that the events are purchases. There are no times.
type amazon struct {
	items, train, test string
	opts               Options
}

func openAmazon(dir string, opts Options) (Source, error) {
	s := &amazon{opts: opts}
	var err error
	if s.items, err = find(dir, "items.jsonl"); err != nil {
		return nil, err
	}
	if s.train, err = find(dir, "train.jsonl"); err != nil {
		return nil, err
	}
	if s.test, err = find(dir, "test.jsonl"); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *amazon) Items() iter.Seq2[Item, error] {
	return eachLine(s.items, s.opts.MaxRowBytes, parseAmazonItem)
}

func (s *amazon) Events() iter.Seq2[Event, error] {
	return eachLine(s.train, s.opts.MaxRowBytes, s.parseSequence)
}

func (s *amazon) Cases() iter.Seq2[Case, error] {
	return eachLine(s.test, s.opts.MaxRowBytes, parseAmazonCase)
}

func parseAmazonItem(_ int64, line []byte, emit func(Item) bool) error {
	var item Item
	if err := eachMember(line, func(key string, raw json.RawMessage) (err *RowError) {
		switch key {
		case "item_id":
			item.ID, err = jsonString(key, raw)
		case "title":
			item.Title, err = jsonString(key, raw)
		case "description":
			item.Description, err = jsonString(key, raw)
		default:
			err = unknownField(key)
		}
		return err
	}); err != nil {
		return err
	}
	if item.ID == "" {
		return bad("item_id", "", "must not be empty")
	}
	emit(item)
	return nil
}

func (s *amazon) parseSequence(_ int64, line []byte, emit func(Event) bool) error {
	var user string
	var items []string
	if err := eachMember(line, func(key string, raw json.RawMessage) (err *RowError) {
		switch key {
		case "user_id":
			user, err = jsonString(key, raw)
		case "items":
			items, err = jsonStrings(key, raw)
		default:
			err = unknownField(key)
		}
		return err
	}); err != nil {
		return err
	}
	if err := checkSequence(user, "user_id", items, "items"); err != nil {
		return err
	}
	emitSequence(user, items, s.opts, emit)
	return nil
}

func parseAmazonCase(_ int64, line []byte, emit func(Case) bool) error {
	var row Case
	if err := eachMember(line, func(key string, raw json.RawMessage) (err *RowError) {
		switch key {
		case "user_id":
			row.User, err = jsonString(key, raw)
		case "history":
			row.History, err = jsonStrings(key, raw)
		case "target":
			row.Target, err = jsonString(key, raw)
		default:
			err = unknownField(key)
		}
		return err
	}); err != nil {
		return err
	}
	if err := checkSequence(row.User, "user_id", row.History, "history"); err != nil {
		return err
	}
	if row.Target == "" {
		return bad("target", "", "must not be empty")
	}
	emit(row)
	return nil
}
