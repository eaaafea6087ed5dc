package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// decision is a row of decisions.jsonl: kindred.v1.Decision in the JSON form of protobuf.
type decision struct {
	ID         string      `json:"recommendationId"`
	Time       time.Time   `json:"time"`
	User       uint64      `json:"userNumber,string"`
	Surface    string      `json:"surface"`
	Policy     string      `json:"policy"`
	Tier       string      `json:"tier"`
	Candidates int         `json:"candidates"`
	Items      []candidate `json:"items"`
	Losers     []candidate `json:"losers"`
	Features   []string    `json:"featureNames"`
}

// candidate is an item that could be shown.
type candidate struct {
	Item       string    `json:"itemId"`
	Score      float64   `json:"score"` // what ope's target temperature=T goes by: the affinity, which random lists do not look at
	Propensity float64   `json:"propensity"`
	Features   []float32 `json:"features"`

	number          int
	click, purchase float64 // the truth
	drawn           float64 // what one drawing goes by
}

// The features of candidates, in their order.
var featureNames = []string{"affinity", "log_price", "quality", "appeal"}

// Truth is what policies bring on the decisions of a log: expected values by the world's truth, means over decisions.
type Truth struct {
	Goal      Goal         `json:"goal"`
	Decisions int          `json:"decisions"`
	Policies  []TruePolicy `json:"policies"`
}

// TruePolicy is one policy over the candidates of each decision, those of the log.
type TruePolicy struct {
	Name string `json:"policy"`
	// Clicks and Purchases are expected, by list.
	Clicks    float64 `json:"clicks_per_list"`
	Purchases float64 `json:"purchases_per_list"`
}

// The policies of the truth. Those of a temperature draw each slot from the candidates left in proportion to exp(score/T), as
// ope's targets of the same names do; they are drawn truthDraws times for each decision.
const (
	logged = iota
	byAffinity
	byTrueValue
	byTemperature
)

const truthDraws = 8

var temperatures = []float64{math.Inf(1), 0.5, 0.2}

func truePolicies() []TruePolicy {
	all := []TruePolicy{logged: {Name: "logged"}, byAffinity: {Name: "by_affinity"}, byTrueValue: {Name: "by_true_value"}}
	for _, t := range temperatures {
		name := "uniform"
		if !math.IsInf(t, 1) {
			name = fmt.Sprintf("temperature=%g", t)
		}
		all = append(all, TruePolicy{Name: name})
	}
	return all
}

// logWriter lets the days of a world pass under random lists, and writes what happens. It holds a little of each user.
type logWriter struct {
	*World
	o                 WriteOptions
	events, decisions *file
	feedback          *file // the clicks and purchases on decisions, as kindred.v1.Event in the JSON form of protobuf
	scene             scene
	lender            *lender
	customers         []customer
	mood              *mood
	result            *Written
	buffer            []byte
	truth             []TruePolicy
}

func (r *Written) writeLog(ctx context.Context, w *World, o WriteOptions) (err error) {
	events, err := create(o.Dir, "events.jsonl", o.Packed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.close()) }()
	decisions, err := create(o.Dir, "decisions.jsonl", o.Packed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, decisions.close()) }()
	feedback, err := create(o.Dir, "feedback.jsonl", o.Packed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, feedback.close()) }()
	start, lender := time.Now(), newLender(w)
	l := &logWriter{World: w, o: o, events: events, decisions: decisions, feedback: feedback, lender: lender, scene: scene{World: w, goods: lender, surface: "home"},
		customers: newCustomers(w), mood: w.newMood(), result: r, truth: truePolicies()}
	for day := -w.HistoryDays; day < w.Days; day++ {
		if err := l.day(ctx, day); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress("events", float64(day+w.HistoryDays+1)/float64(w.HistoryDays+w.Days))
		}
	}
	r.EventsSeconds, r.EventsBytes = time.Since(start).Seconds(), events.bytes
	r.EventsPerS = float64(r.Events) / r.EventsSeconds
	return l.writeTruth()
}

func (l *logWriter) day(ctx context.Context, day int) error {
	for i, v := range l.plan(day) {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if l.customers[v.User].left {
			continue
		}
		if err := l.visit(v); err != nil {
			return err
		}
	}
	return nil
}

func (l *logWriter) visit(v Visit) error {
	who := &l.customers[v.User]
	l.feel(l.mood, l.User(v.User), v.Day)
	pool := l.pool(v, who)
	shown := Shown{ID: "r" + newAct(v, 0, "", 0, v.Time).ID}
	for _, c := range pool[:l.Limit] {
		shown.Items = append(shown.Items, c.number)
	}
	// Robots are known here, and no policy is judged by them.
	if v.Day >= 0 && !l.mood.isABot {
		if err := l.decide(v, pool, shown); err != nil {
			return err
		}
	}
	out := l.scene.visit(v, l.mood, who, shown)
	if v.Day >= 0 && !l.mood.isABot {
		l.scene.settle(v, who, out.clicks)
	}
	l.buffer = l.buffer[:0]
	for i := range out.acts {
		l.buffer = appendAct(l.buffer, &out.acts[i])
	}
	l.result.Events += len(out.acts)
	if _, err := l.events.Write(l.buffer); err != nil || v.Day < 0 || l.mood.isABot {
		return err
	}
	l.buffer = l.buffer[:0]
	for i := range out.acts {
		l.buffer = appendFeedback(l.buffer, &out.acts[i])
	}
	_, err := l.feedback.Write(l.buffer)
	return err
}

// pool is the candidates of a visit in the order in which chance puts them: the first World.Limit are shown. Slot k from 1 has
// each of the candidates that are not above it with the same probability, 1/(pool-k+1).
func (l *logWriter) pool(v Visit, who *customer) []candidate {
	d := keyed(l.Seed, forPool, v.key(), 0)
	pool := make([]candidate, 0, l.o.Pool)
	onShelf := l.OnShelf(v.Day)
	for len(pool) < l.o.Pool { // ends: at least half of the shelves is free to be drawn, and who bought all the rest is not met
		n := d.below(onShelf)
		if slices.ContainsFunc(pool, func(c candidate) bool { return c.number == n }) || slices.Contains(who.items, int32(n)) {
			continue
		}
		g, product := l.lender.at(n)
		c := candidate{number: n, Item: ItemID(n), Propensity: 1 / float64(l.o.Pool-min(len(pool), l.Limit-1))}
		c.click, c.purchase = l.mood.chances(g, slices.Contains(who.products, product))
		// The affinity is what a good model would see of it: the truth and some noise.
		c.Score = float64(float32(l.mood.affinity(g) + 0.1*d.normal()))
		c.Features = []float32{float32(c.Score), float32(g.logPrice), float32(g.quality), float32(g.appeal)}
		pool = append(pool, c)
	}
	return pool
}

// decide writes a decision and adds to the truth.
func (l *logWriter) decide(v Visit, pool []candidate, shown Shown) error {
	l.judge(v, pool)
	line, err := json.Marshal(decision{ID: shown.ID, Time: v.Time, User: uint64(v.User) + 1, Surface: l.scene.surface, Policy: "random-of-pool",
		Tier: "popular", Candidates: len(pool), Items: pool[:l.Limit], Losers: pool[l.Limit:], Features: featureNames})
	if err != nil {
		return err
	}
	l.result.Decisions++
	_, err = l.decisions.Write(append(line, '\n'))
	return err
}

// judge adds what the policies of the truth bring on this pool.
func (l *logWriter) judge(v Visit, pool []candidate) {
	falling := func(by func(*candidate) float64) []candidate {
		return slices.SortedFunc(slices.Values(pool), func(a, b candidate) int {
			return cmp.Or(cmp.Compare(by(&b), by(&a)), cmp.Compare(a.number, b.number))
		})
	}
	l.add(&l.truth[logged], pool, 1)
	l.add(&l.truth[byAffinity], falling(func(c *candidate) float64 { return c.Score }), 1)
	l.add(&l.truth[byTrueValue], falling(func(c *candidate) float64 { return c.click * l.Goal.reward(c.purchase) }), 1)
	for i, temperature := range temperatures {
		d := keyed(l.Seed, forTruth, v.key(), uint64(i))
		for range truthDraws {
			// The largest of scores with Gumbel noise come in the order of drawing by exp(score/T) without replacement.
			for k := range pool {
				pool[k].drawn = pool[k].Score/temperature - math.Log(-math.Log(1-d.unit()))
			}
			l.add(&l.truth[byTemperature+i], falling(func(c *candidate) float64 { return c.drawn }), 1.0/truthDraws)
		}
	}
}

func (l *logWriter) add(to *TruePolicy, list []candidate, share float64) {
	var click, purchase, one [maxLimit]float64
	for k, c := range list[:l.Limit] {
		click[k], purchase[k], one[k] = c.click, c.purchase, 1
	}
	to.Clicks += share * l.Clicks.value(click[:l.Limit], one[:l.Limit])
	to.Purchases += share * l.Clicks.value(click[:l.Limit], purchase[:l.Limit])
}

func (l *logWriter) writeTruth() (err error) {
	t := &Truth{Goal: l.Goal, Decisions: l.result.Decisions}
	for _, p := range l.truth {
		p.Clicks /= float64(max(1, t.Decisions))
		p.Purchases /= float64(max(1, t.Decisions))
		t.Policies = append(t.Policies, p)
	}
	l.result.Truth = t
	f, err := create(l.o.Dir, "truth.json", false)
	if err != nil {
		return err
	}
	line, err := json.Marshal(t)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	return errors.Join(err, f.close())
}
