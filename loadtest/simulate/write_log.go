package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	Propensity float64   `json:"propensity"`
	Features   []float32 `json:"features"`

	number          int
	click, purchase float64 // the truth
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

// logWriter lets the days of a world pass under random lists, and writes what happens. It holds a little of each user.
type logWriter struct {
	*World
	o                 WriteOptions
	events, decisions *file
	scene             scene
	lender            *lender
	customers         []customer
	mood              *mood
	result            *Written
	buffer            []byte
	truth             [3]TruePolicy
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
	start, lender := time.Now(), newLender(w)
	l := &logWriter{World: w, o: o, events: events, decisions: decisions, lender: lender, scene: scene{World: w, goods: lender, surface: "home"},
		customers: newCustomers(w), mood: w.newMood(), result: r, truth: [3]TruePolicy{{Name: "logged"}, {Name: "by_affinity"}, {Name: "by_true_value"}}}
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
	_, err := l.events.Write(l.buffer)
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
		c.Features = []float32{float32(l.mood.affinity(g) + 0.1*d.normal()), float32(g.logPrice), float32(g.quality), float32(g.appeal)}
		pool = append(pool, c)
	}
	return pool
}

// decide writes a decision and adds to the truth.
func (l *logWriter) decide(v Visit, pool []candidate, shown Shown) error {
	l.judge(pool)
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
func (l *logWriter) judge(pool []candidate) {
	falling := func(by func(*candidate) float64) []candidate {
		return slices.SortedFunc(slices.Values(pool), func(a, b candidate) int {
			return cmp.Or(cmp.Compare(by(&b), by(&a)), cmp.Compare(a.number, b.number))
		})
	}
	l.add(&l.truth[0], pool)
	l.add(&l.truth[1], falling(func(c *candidate) float64 { return float64(c.Features[0]) }))
	l.add(&l.truth[2], falling(func(c *candidate) float64 { return c.click * l.Goal.reward(c.purchase) }))
}

func (l *logWriter) add(to *TruePolicy, list []candidate) {
	var click, purchase, one [maxLimit]float64
	for k, c := range list[:l.Limit] {
		click[k], purchase[k], one[k] = c.click, c.purchase, 1
	}
	to.Clicks += l.Clicks.value(click[:l.Limit], one[:l.Limit])
	to.Purchases += l.Clicks.value(click[:l.Limit], purchase[:l.Limit])
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
