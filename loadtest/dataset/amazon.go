package dataset

import "iter"

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
	var row struct {
		ID          string `json:"item_id"`
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	if err := decodeStrict(line, &row); err != nil {
		return err
	}
	if row.ID == "" {
		return bad("item_id", "", "must not be empty")
	}
	emit(Item{ID: row.ID, Title: row.Title, Description: row.Description})
	return nil
}

func (s *amazon) parseSequence(_ int64, line []byte, emit func(Event) bool) error {
	var row struct {
		User  string   `json:"user_id"`
		Items []string `json:"items"`
	}
	if err := decodeStrict(line, &row); err != nil {
		return err
	}
	if err := checkSequence(row.User, "user_id", row.Items, "items"); err != nil {
		return err
	}
	emitSequence(row.User, row.Items, s.opts, emit)
	return nil
}

func parseAmazonCase(_ int64, line []byte, emit func(Case) bool) error {
	var row struct {
		User    string   `json:"user_id"`
		History []string `json:"history"`
		Target  string   `json:"target"`
	}
	if err := decodeStrict(line, &row); err != nil {
		return err
	}
	if err := checkSequence(row.User, "user_id", row.History, "history"); err != nil {
		return err
	}
	if row.Target == "" {
		return bad("target", "", "must not be empty")
	}
	emit(Case(row))
	return nil
}
