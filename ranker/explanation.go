package ranker

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// Explanation tells of one item under one request.
type Explanation struct {
	// Ranked is as the reply has it; of an item that is not shown, Fill, Rule, Penalty and
	// Propensity say nothing.
	Ranked
	Verdict Verdict
	// Rank is the place in the full ranking, from 1; 0 when it was not ranked. What is shown
	// stands before all else.
	Rank int
	// ByScore is the place by score alone, and ByValue that with boosts, burials and fatigue,
	// from 1; 0 when it was not ranked.
	ByScore, ByValue int
	// Reasons for the score, the largest contribution first; nil when not ranked. With Rest,
	// what no feature brought, they add up to the score.
	Reasons []Reason
	Rest    float64
	// Effects of the rules that hold and match.
	Effects []Effect
	// Clause of the filter that the item does not meet, where the filter can tell.
	Clause string
	// Instead is the variant that stands in its place, for AnotherVariant.
	Instead uint32
	// Cap that keeps it out of the list's last slot, for OverCap, with HasCap.
	Cap    rerank.Cap
	HasCap bool
	// Near says how near an item that no source proposed came to it.
	Near []Near
}

// An Effect is what one rule did to an item.
type Effect struct {
	// Rule as index of the policy's, and its name.
	Rule   int
	Name   string
	Action rerank.Action
	// Change of the score, of a boost.
	Change float64
}

// Text is a clause: `rule "spring" (boost) adds 0.69`.
func (e Effect) Text() string {
	head := fmt.Sprintf("rule %q (%v)", e.Name, e.Action)
	switch e.Action {
	case rerank.Boost:
		return fmt.Sprintf("%s adds %+.3g to the score", head, e.Change)
	case rerank.Bury:
		return head + " puts it behind all that is not buried"
	case rerank.Reserve:
		return head + " keeps a share for such items"
	case rerank.Pin:
		return head + " wants it in a slot"
	}
	return head + " keeps it out"
}

// Near is how near an item came to being proposed by one source.
type Near struct {
	Source Source
	// Anchor whose neighbours these are, for FromItemNeighbours.
	Anchor uint32
	// Place in the source's list, from 1; 0: not among the Looked first.
	Place, Looked int
	// Takes is how many the source proposes.
	Takes int
}

// Text is a clause: "place 240 among the nearest to the user's vector, which takes 100".
func (n Near) Text() string {
	if n.Place == 0 {
		return fmt.Sprintf("%v: not among the first %d, it takes %d", n.Source, n.Looked, n.Takes)
	}
	return fmt.Sprintf("%v: place %d, it takes %d", n.Source, n.Place, n.Takes)
}

// Text is one sentence.
func (e Explanation) Text() string {
	var b strings.Builder
	switch e.Verdict {
	case Shown:
		fmt.Fprintf(&b, "shown at place %d", e.Rank)
		e.writeFill(&b)
	case RankedBelow:
		fmt.Fprintf(&b, "ranked at place %d, below the limit", e.Rank)
	case OverCap:
		fmt.Fprintf(&b, "kept out by a cap, at place %d by score", e.ByScore)
		if e.HasCap {
			fmt.Fprintf(&b, ": at most %d by %v", e.Cap.Most, e.Cap.By)
		}
	default:
		b.WriteString(e.Verdict.String())
		if e.Verdict.ranked() {
			fmt.Fprintf(&b, ", at place %d by score", e.ByScore)
		}
	}
	if e.Clause != "" {
		b.WriteString(": " + e.Clause)
	}
	for _, effect := range e.Effects {
		b.WriteString("; " + effect.Text())
	}
	for _, near := range e.Near {
		b.WriteString("; " + near.Text())
	}
	return b.String()
}

func (e Explanation) writeFill(b *strings.Builder) {
	if e.Fill != rerank.ByRank {
		fmt.Fprintf(b, ", %v", e.Fill)
	}
	if e.Propensity < 1 {
		fmt.Fprintf(b, " with probability %.3g", e.Propensity)
	}
	if e.ByValue != 0 && e.ByValue != e.Rank {
		fmt.Fprintf(b, ", place %d by value", e.ByValue)
	}
	if e.Penalty > 0 {
		fmt.Fprintf(b, ", diversity took %.3g", e.Penalty)
	}
}

// Explain answers a request into res and tells of each of items why it is where it is in
// the answer, or why it is not in it. It agrees with what Recommend answers to the same
// request. It makes the list up to ten times and searches once: it is for people.
func (p *Pipeline) Explain(req *Request, items []uint32, res *Response) ([]Explanation, error) {
	r, err := p.run(req, res)
	if err != nil {
		return nil, err
	}
	defer p.release(r)
	out := make([]Explanation, 0, len(items))
	for _, item := range items {
		out = append(out, r.explain(item, res))
	}
	r.whatIf(out)
	for i := range out {
		if out[i].Verdict == OverCap {
			continue
		}
		out[i].HasCap, out[i].Cap = false, rerank.Cap{}
	}
	return out, nil
}

func (r *run) explain(item uint32, res *Response) Explanation {
	e := Explanation{Ranked: Ranked{Item: item, Rule: -1}, Verdict: r.verdict(item)}
	if e.Verdict.ranked() {
		r.explainRank(&e, res)
		return e
	}
	row := r.world.Catalog.Row(item)
	switch e.Verdict {
	case Filtered:
		if f, ok := r.req.Match.(interface {
			Unmet(row *catalog.Row) string
		}); ok {
			e.Clause = f.Unmet(row)
		}
	case ExcludedByRule, DailyCapReached:
		e.Effects = r.effects(1 << r.excludedBy(row))
	case NotRetrieved:
		e.Near = r.near(item)
	}
	return e
}

// explainRank tells of an item that was ranked.
func (r *run) explainRank(e *Explanation, res *Response) {
	at := r.at(e.Item).candidate
	shown := slices.IndexFunc(res.Items, func(x Ranked) bool { return x.Item == e.Item })
	e.Ranked = r.ranked(at)
	if shown >= 0 {
		e.Ranked = res.Items[shown]
	}
	e.Reasons = r.reasons(&e.Ranked, r.model, nil)
	var parts Parts
	e.Rest = r.model.Attribute(&e.Features, &parts)
	mine := r.entry(int(at))
	e.ByScore, e.Rank = 1, 1+len(res.Items)
	for i := range r.candidates {
		if order(r.entry(i), mine) < 0 {
			e.ByScore++
		}
	}
	e.ByValue = e.ByScore
	if r.arranged() {
		r.explainFate(e)
	}
	if shown >= 0 {
		e.Rank = shown + 1
		return
	}
	for i := range r.candidates {
		if r.at(r.candidates[i].item).mark&returned == 0 && r.before(i, int(at)) {
			e.Rank++
		}
	}
}

// before reports whether one candidate stands before another by value; by score where the
// engine was not given both.
func (r *run) before(i, k int) bool {
	if r.arranged() {
		if a, b := r.linedAs(i), r.linedAs(k); a >= 0 && b >= 0 {
			return r.arranging.engine.Fate(a).Place < r.arranging.engine.Fate(b).Place
		}
	}
	return order(r.entry(i), r.entry(k)) < 0
}

// linedAs is where a candidate stands in the engine's input, -1: it was too far down.
func (r *run) linedAs(i int) int {
	if r.req.Policy != nil {
		return i // all are
	}
	return slices.Index(r.arranging.of, int32(i))
}

// explainFate tells what the policy made of an item.
func (r *run) explainFate(e *Explanation) {
	at := r.linedAs(int(r.at(e.Item).candidate))
	if at < 0 {
		return
	}
	f := r.arranging.engine.Fate(at)
	e.ByValue = f.Place
	e.Effects = r.effects(f.Matched)
	switch {
	case e.Verdict == Shown:
	case f.Outcome == rerank.VariantStands:
		e.Verdict, e.Instead = AnotherVariant, f.Item
	case f.Outcome == rerank.OverCap:
		e.Cap, e.HasCap = r.req.Policy.Caps[f.Cap], true
	}
	if e.Verdict != Shown {
		e.Value = f.Value
	}
}

// effects of rules, bit i for rule i.
func (r *run) effects(rules uint64) []Effect {
	var out []Effect
	for i := 0; rules != 0; i, rules = i+1, rules>>1 {
		if rules&1 == 0 {
			continue
		}
		rule := &r.req.Policy.Rules[i]
		e := Effect{Rule: i, Name: rule.Name, Action: rule.Action}
		if rule.Action == rerank.Boost {
			e.Change = math.Log(rule.Factor)
		}
		out = append(out, e)
	}
	return out
}
