package dataset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// eventRow is an event under construction.
type eventRow struct {
	event   Event
	hasTime bool
}

var eventVocabulary = vocabulary[eventRow]{
	fields: []field[eventRow]{
		textField("id", "", func(r *eventRow) *string { return &r.event.ID }),
		textField("user", "user_id", func(r *eventRow) *string { return &r.event.User }),
		textField("session", "session_id", func(r *eventRow) *string { return &r.event.Session }),
		textField("item", "item_id", func(r *eventRow) *string { return &r.event.Item }),
		textField("type", "", func(r *eventRow) *string { return &r.event.Type }),
		{name: "value", json: jsonNumeric, set: setValue},
		textField("text", "", func(r *eventRow) *string { return &r.event.Text }),
		{name: "time", alias: "timestamp", json: jsonDecimal, set: setTime},
		textField("surface", "", func(r *eventRow) *string { return &r.event.Surface }),
		textField("recommendation_id", "", func(r *eventRow) *string { return &r.event.RecommendationID }),
		{name: "position", json: jsonNumeric, set: setPosition},
		{name: "context", json: jsonObject, set: setContext},
		{name: "synthetic", json: jsonBool, set: setSynthetic},
	},
	required: []string{"item"},
}

func setValue(r *eventRow, column string, texts []string, _ *Options) (err *RowError) {
	r.event.Value, err = parseNumber(column, texts[0])
	r.event.HasValue = err == nil
	return err
}

func setTime(r *eventRow, column string, texts []string, opts *Options) (err *RowError) {
	r.event.Time, err = parseTime(column, texts[0], opts.TimeUnit)
	r.hasTime = err == nil
	return err
}

func setPosition(r *eventRow, column string, texts []string, _ *Options) *RowError {
	n, err := strconv.ParseInt(texts[0], 10, 32)
	if err != nil || n < 0 {
		return bad(column, texts[0], "must be a whole number, 0 or more")
	}
	r.event.Position = int(n)
	return nil
}

func setContext(r *eventRow, column string, texts []string, _ *Options) *RowError {
	context := map[string]string{}
	err := eachMember([]byte(texts[0]), func(key string, raw json.RawMessage) (err *RowError) {
		context[key], err = jsonString(column+"."+key, raw)
		return err
	})
	if err != nil {
		if err.Column == "" {
			err.Column = column
		}
		return err
	}
	if len(context) > 0 {
		r.event.Context = context
	}
	return nil
}

func setSynthetic(r *eventRow, column string, texts []string, _ *Options) (err *RowError) {
	r.event.Synthetic, err = parseBool(column, texts[0])
	return err
}

// bindEvents binds the columns of an event file, and looks for what the vocabulary alone cannot demand.
func bindEvents(columns []string, opts *Options) ([]*field[eventRow], error) {
	bound, err := eventVocabulary.bind(columns, opts)
	if err != nil {
		return nil, err
	}
	if !hasField(bound, "user") && !hasField(bound, "session") {
		return nil, fmt.Errorf("%w: no column for user or session; map one (user=COLUMN)", ErrHeader)
	}
	if !hasField(bound, "type") && opts.EventType == "" {
		return nil, fmt.Errorf("%w: no column for type; map one (type=COLUMN), or set Options.EventType for all rows", ErrHeader)
	}
	return bound, nil
}

func hasField(bound []*field[eventRow], name string) bool {
	return slices.Contains(bound, lookUp(eventVocabulary.fields, name))
}

// eventFinisher completes the events of one reading of one file.
type eventFinisher struct {
	opts  *Options
	ties  ordinals
	known bool // whether it is known if the file has times: from the header, or from the first good row
	timed bool // it has
}

func newEventFinisher(opts *Options) *eventFinisher {
	return &eventFinisher{opts: opts, ties: ordinals{max: opts.MaxTies}}
}

// finish checks an event, gives it a time if the file has none, and an id if the row has none. An error that is not a
// *RowError ends the stream.
func (f *eventFinisher) finish(row int64, r eventRow) (Event, error) {
	e := r.event
	if e.Type == "" {
		e.Type = f.opts.EventType
	}
	switch {
	case e.User == "" && e.Session == "":
		return Event{}, bad("user", "", "a user or a session is needed")
	case e.Type == "":
		return Event{}, bad("type", "", "must not be empty; or set Options.EventType")
	case e.Item == "" && e.Type != TypeSearch:
		return Event{}, bad("item", "", "must not be empty")
	case f.known && f.timed && !r.hasTime:
		return Event{}, bad("time", "", "must not be empty: other rows have a time")
	case f.known && !f.timed && r.hasTime:
		return Event{}, bad("time", e.Time.Format(time.RFC3339), "rows before had no time, and were given made-up ones; give a time to all or to none")
	}
	f.known, f.timed = true, r.hasTime
	if !r.hasTime {
		// The row's number, not a count of good rows: a row that is mended later must not move the others.
		e.Time, e.Synthetic = f.opts.Epoch.Add(time.Duration(row)*time.Second), true
	}
	if e.ID != "" {
		return e, nil
	}
	if !r.hasTime {
		e.ID = e.DeriveID(0) // no two rows share a time
		return e, nil
	}
	err := f.ties.name(&e)
	return e, err
}
