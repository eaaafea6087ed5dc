package decisions

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kindred-rec/kindred/loadtest/ope"
	"github.com/kindred-rec/kindred/loadtest/ope/internal/faults"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Options say what to read.
type Options struct {
	Decisions, Events string // files
	// Reward is the event types that are worth 1: names as in EventType in lower case (click, purchase), or custom types.
	Reward []string
	// Window after a decision in which its rewards count, above 0.
	Window time.Duration
	// ByUser makes the decisions of a user a cluster: their rewards need not be independent.
	ByUser bool
	// MaxRows bounds shown items and losers together, at about 150 bytes each and 4 for each feature.
	MaxRows int
}

// Log is Kindred's log. Slots are places in the list, from 0; those behind the lastSlot are one to the reward model.
type Log struct {
	ope.Log
	// Notes are what a reader of the results must know: events that joined nothing, windows that are still open.
	Notes []string

	decisions []decision
	shown     []option // beside Rows
	losers    []option
	index     map[string]int32 // recommendation id → decision
}

// lastSlot bounds what the reward model tells apart.
const lastSlot = 19

// decision is one list.
type decision struct {
	id          string
	line        int64
	time        time.Time
	first, end  int32 // of Rows
	loser, last int32 // of losers
	candidates  int32 // scored, at least those logged
}

// option is an item that was scored.
type option struct {
	action   int32
	score    float64
	features []float32
}

// Read reads the decisions, then joins the events. Broken rows are *dataset.RowError, of which the first few are told.
func Read(o Options) (*Log, error) {
	switch {
	case len(o.Reward) == 0:
		return nil, fmt.Errorf("decisions: no type of event is a reward; name one, such as click")
	case o.Window <= 0:
		return nil, fmt.Errorf("decisions: the window is %v; it must be above 0", o.Window)
	case o.MaxRows < 1:
		return nil, fmt.Errorf("decisions: at most %d rows; it must be at least 1", o.MaxRows)
	}
	r := &reader{o: o, log: &Log{index: map[string]int32{}}, actions: map[string]int32{}, users: map[uint64]int32{}}
	r.log.MaxReward = 1
	if err := eachMessage(o.Decisions, r.decisions); err != nil {
		return nil, err
	}
	if err := r.faults.Err(); err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	l := r.log
	if len(l.Rows) == 0 {
		return nil, fmt.Errorf("decisions: %s has no decision with items: there is nothing to judge a policy by", o.Decisions)
	}
	l.Actions = len(r.actions)
	r.finishFeatures()
	return l, r.join()
}

type reader struct {
	o       Options
	log     *Log
	actions map[string]int32
	users   map[uint64]int32
	names   []string // of features
	mixed   bool     // decisions have different features
	empty   int      // decisions without items
	few     int      // decisions whose count of candidates is below what is logged
	faults  faults.List

	clusters int32
}

func (r *reader) decisions(line int64, message json.RawMessage) error {
	page := &kindredv1.ExportDecisionsResponse{}
	if hasField(message, "decisions") {
		if err := protojson.Unmarshal(message, page); err != nil {
			r.faults.Add(r.o.Decisions, line, "", "", "%v", err)
			return nil
		}
	} else {
		d := &kindredv1.Decision{}
		if err := protojson.Unmarshal(message, d); err != nil {
			r.faults.Add(r.o.Decisions, line, "", "", "%v", err)
			return nil
		}
		page.Decisions = append(page.Decisions, d)
	}
	for _, d := range page.Decisions {
		if column, value, reason := r.fault(d); reason != "" {
			r.faults.Add(r.o.Decisions, line, column, value, "decision %q: %s", d.RecommendationId, reason)
			continue
		}
		r.add(line, d)
		if len(r.log.shown)+len(r.log.losers) > r.o.MaxRows {
			return fmt.Errorf("decisions: %s:%d: more than %d shown items and losers; raise the bound on rows, or export a shorter time", r.o.Decisions, line, r.o.MaxRows)
		}
	}
	return nil
}

// fault says what is wrong with a decision; reason "": nothing.
func (r *reader) fault(d *kindredv1.Decision) (column, value, reason string) {
	if d.RecommendationId == "" {
		return "recommendation_id", "", "is empty; rewards are joined by it"
	}
	if at, twice := r.log.index[d.RecommendationId]; twice {
		return "recommendation_id", d.RecommendationId, fmt.Sprintf("comes on line %d already: its rewards would count twice; were two exports of the same time put together?", r.log.decisions[at].line)
	}
	if !d.Time.IsValid() {
		return "time", "", "is missing or out of range"
	}
	met := map[string]bool{}
	for i, item := range slices.Concat(d.Items, d.Losers) {
		where := fmt.Sprintf("items[%d]", i)
		if i >= len(d.Items) {
			where = fmt.Sprintf("losers[%d]", i-len(d.Items))
		}
		switch {
		case item.ItemId == "" || met[item.ItemId]:
			return where + ".item_id", item.ItemId, "is empty or stands in the decision twice"
		case math.IsNaN(item.Score) || math.IsInf(item.Score, 0):
			return where + ".score", fmt.Sprint(item.Score), "is not finite"
		case len(item.Features) != 0 && len(item.Features) != len(d.FeatureNames):
			return where + ".features", "", fmt.Sprintf("has %d values for %d feature_names", len(item.Features), len(d.FeatureNames))
		}
		met[item.ItemId] = true
		if i < len(d.Items) {
			if err := ope.CheckPropensity(item.Propensity); err != nil {
				return where + ".propensity", fmt.Sprint(item.Propensity), err.Error()
			}
		}
	}
	return "", "", ""
}

func (r *reader) add(line int64, d *kindredv1.Decision) {
	l := r.log
	if len(d.Items) == 0 {
		r.empty++
		return
	}
	if len(d.FeatureNames) > 0 {
		r.mixed = r.mixed || r.names != nil && !slices.Equal(r.names, d.FeatureNames)
		r.names = d.FeatureNames
	}
	number := int32(len(l.decisions))
	own := decision{id: d.RecommendationId, line: line, time: d.Time.AsTime(), first: int32(len(l.Rows)), loser: int32(len(l.losers)),
		candidates: max(d.Candidates, int32(len(d.Items)+len(d.Losers)))}
	if own.candidates > d.Candidates {
		r.few++
	}
	for i, item := range d.Items {
		slot := int32(min(i, lastSlot))
		l.Slots = max(l.Slots, int(slot)+1)
		option := r.option(item)
		l.shown = append(l.shown, option)
		l.Rows = append(l.Rows, ope.Row{Decision: number, Action: option.action, Slot: slot, Propensity: item.Propensity, Features: item.Features})
	}
	for _, item := range d.Losers {
		l.losers = append(l.losers, r.option(item))
	}
	own.end, own.last = int32(len(l.Rows)), int32(len(l.losers))
	l.index[own.id] = number
	l.decisions = append(l.decisions, own)
	if r.o.ByUser {
		l.Cluster = append(l.Cluster, r.cluster(d.UserNumber))
	}
}

func (r *reader) option(item *kindredv1.ShownItem) option {
	action, known := r.actions[item.ItemId]
	if !known {
		action = int32(len(r.actions))
		r.actions[item.ItemId] = action
	}
	return option{action, item.Score, item.Features}
}

// cluster numbers users. Nobody knows which anonymous decisions belong together: each is a cluster.
func (r *reader) cluster(user uint64) int32 {
	number, known := r.users[user]
	if !known || user == 0 {
		number = r.clusters
		r.clusters++
		r.users[user] = number
	}
	return number
}

// finishFeatures keeps features if all decisions have the same.
func (r *reader) finishFeatures() {
	l := r.log
	l.Features = len(r.names)
	note := func(n int, text string) {
		if n > 0 {
			l.Notes = append(l.Notes, fmt.Sprintf("%d %s", n, text))
		}
	}
	note(r.empty, "decisions showed nothing and were left out")
	note(r.few, "decisions name fewer candidates than items; those logged were taken for all")
	if !r.mixed {
		return
	}
	l.Features = 0
	for i := range l.Rows {
		l.Rows[i].Features, l.shown[i].features = nil, nil
	}
	for i := range l.losers {
		l.losers[i].features = nil
	}
	l.Notes = append(l.Notes, "the decisions have different features, of different generations: none were used")
}
