package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/lexical"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/record"
)

// searchCandidates is how many matches by words, and how many of the nearest texts, are
// ranked for a limit.
func searchCandidates(limit int) int { return max(200, 3*limit) }

// deeper is how often a search for the nearest is repeated, each time for four times as
// many, while too few of them may be shown.
const deeper = 3

// tasteShare is how much a subject's taste counts beside the text: enough to order
// like matches, too little to bring in others.
const tasteShare = 0.15

// Search answers with the items that have the words of a text, and those whose text is
// nearest to it in meaning, fused. With a subject, like matches lean to its taste. Where
// the encoder fails or is late, words alone answer, and Method says so.
func (s *Shop) Search(ctx context.Context, q *SearchQuery) (*SearchReply, error) {
	c, err := s.open(ctx, q.Subject, time.Time{}, q.Fresh, q.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	req, err := c.request(&q.Row)
	if err != nil {
		return nil, err
	}
	found, method, err := c.search(ctx, q.Text, &req)
	if err != nil {
		return nil, err
	}
	found = c.respond(found, req.Limit)
	list := c.list(q.Row.Surface, &req, false)
	list.Why = method
	if q.Explain {
		explainMatches(list.Items, found)
	}
	c.decide(record.DecisionSearch, 0, q.Row.Surface, nil)
	return &SearchReply{List: list, Info: c.finish(), Method: method}, nil
}

// search finds the servable matches, best first, and says how.
func (c *call) search(ctx context.Context, text string, req *ranker.Request) (found []match, method string, err error) {
	mark := time.Now()
	words, all, err := c.byWords(text, req)
	if err != nil {
		return nil, "", err
	}
	c.info.Times.Retrieve = time.Since(mark).Microseconds()
	vector, why := c.encode(ctx, text)
	mark = time.Now()
	var near []ranker.Scored
	if vector != nil {
		if near, err = c.byVector(vector, req); err != nil {
			return nil, "", err
		}
	}
	c.info.Times.Retrieve += time.Since(mark).Microseconds()
	mark = time.Now()
	found = fuse(c.lean(words, req), c.lean(near, req), all)
	c.info.Times.Rank = time.Since(mark).Microseconds()
	return found, searchMethod(len(words) > 0, why), nil
}

// searchMethod names what a search used, and why not more. why says why there is no
// vector; "" if there is one.
func searchMethod(words bool, why string) string {
	switch {
	case words && why == "":
		return "lexical and text vector"
	case words:
		return "lexical: " + why
	case why == "":
		return "text vector: no item that may be shown has a word of the text"
	}
	return "nothing: no item that may be shown has a word of the text, and " + why
}

// encode returns the text's vector; nil, and why, if it has none.
func (c *call) encode(ctx context.Context, text string) (vector []float32, why string) {
	mark := time.Now()
	defer func() { c.info.Times.Encode = time.Since(mark).Microseconds() }()
	ctx, cancel := context.WithTimeout(ctx, c.shop.config.SearchEncodeTimeout)
	defer cancel()
	vector = make([]float32, c.gen.dim())
	err := c.gen.queries.Encode(ctx, []string{text}, vector)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Sprintf("the text encoder did not answer within %v", c.shop.config.SearchEncodeTimeout)
	case err != nil:
		c.shop.config.Log.Warn("search text not encoded; words alone answer", "error", err)
		return nil, "the text encoder failed"
	case isZero(vector):
		return nil, "the text encoder knows no word of the text"
	}
	return vector, ""
}

// shows reports whether a match may be shown.
func (c *call) shows(req *ranker.Request, item uint32) bool {
	row := c.shop.table.Row(item)
	return row != nil && row.Servable(req.Now) && (req.Match == nil || req.Match.Match(row)) && !slices.Contains(req.Hidden, item) &&
		!ruledOut(req.Policy, row, req.Now)
}

// ruledOut reports whether a rule of a policy excludes a row: the one kind of rule that a
// search obeys.
func ruledOut(p *rerank.Policy, row *catalog.Row, now int64) bool {
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Action == rerank.Exclude && r.Holds(now) && (!r.HasItem || r.Item == row.Number) && (r.Match == nil || r.Match.Match(row)) {
			return true
		}
	}
	return false
}

// byWords returns the best matches by words that may be shown. Scores are shares of the
// best one's. all: some match has all words.
func (c *call) byWords(text string, req *ranker.Request) (found []ranker.Scored, all bool, err error) {
	hits, all, err := c.shop.texts.Search(lexical.Query{
		Text: text, K: searchCandidates(req.Limit), Allow: req.Allow,
		Keep: func(item uint32) bool { return c.shows(req, item) },
	}, nil)
	if err != nil {
		return nil, false, fmt.Errorf("searching by words: %w", err)
	}
	out := make([]ranker.Scored, len(hits))
	for i, h := range hits {
		out[i] = ranker.Scored{Item: h.ID, Score: 1}
		if best := hits[0].Score; best > 0 {
			out[i].Score = h.Score / best
		}
	}
	return out, all, nil
}

// byVector returns the nearest that may be shown. The index knows the filter alone: where
// others are left out, it is asked for more.
func (c *call) byVector(vector []float32, req *ranker.Request) ([]ranker.Scored, error) {
	want := searchCandidates(req.Limit)
	var hits []index.Hit
	var out []ranker.Scored
	for ask, round := want, 0; ; ask, round = 4*ask, round+1 {
		var err error
		if hits, err = c.gen.nearest.search(vector, ask, req.Allow, hits[:0]); err != nil {
			return nil, fmt.Errorf("searching by vector: %w", err)
		}
		out = out[:0]
		for _, h := range hits {
			if c.shows(req, h.ID) {
				out = append(out, ranker.Scored{Item: h.ID, Score: h.Score})
			}
		}
		if len(out) >= want || len(hits) < ask || round == deeper {
			return out[:min(want, len(out))], nil
		}
	}
}

// lean orders matches by their scores, and like ones by the subject's taste.
func (c *call) lean(matches []ranker.Scored, req *ranker.Request) []ranker.Scored {
	if req.UserVector == nil || req.PersonalizationOff {
		return matches
	}
	for i := range matches {
		m := &matches[i]
		m.Score += tasteShare * float32(dot(req.UserVector, c.gen.users().vectors.Vector(m.Item)))
	}
	slices.SortFunc(matches, func(a, b ranker.Scored) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Item, b.Item))
	})
	return matches
}

// respond fills the response with the best matches, and returns them.
func (c *call) respond(found []match, limit int) []match {
	res := &c.response
	c.info.Candidates = len(found)
	res.Items, res.Losers = res.Items[:0], res.Losers[:0]
	res.Tier, res.Candidates = ranker.Popular, len(found)
	found = found[:min(limit, len(found))]
	for _, m := range found {
		res.Items = append(res.Items, ranker.Ranked{Item: m.item, Score: m.score(), Propensity: 1})
	}
	return found
}

func dot(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// explainMatches gives each match its reasons.
func explainMatches(items []Item, found []match) {
	of := make(map[uint32]match, len(items))
	for _, m := range found {
		of[m.item] = m
	}
	for i := range items {
		items[i].Reasons = of[items[i].Number].reasons()
	}
}
