package shop

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/ranker"
)

// encodeDeadline bounds the encoding of a search text.
const encodeDeadline = 200 * time.Millisecond

// searchCandidates is how many of the nearest texts are looked at for a limit.
func searchCandidates(limit int) int { return max(200, 3*limit) }

// tasteShare is how much a subject's taste counts beside the text: enough to order
// like matches, too little to bring in others.
const tasteShare = 0.15

// Search answers with the items whose text is nearest to a text. With a subject,
// near matches lean to its taste.
func (s *Shop) Search(ctx context.Context, q *SearchQuery) (*SearchReply, error) {
	c, err := s.open(ctx, q.Subject, time.Time{}, Fresh{}, q.Seed)
	if err != nil {
		return nil, err
	}
	defer c.close()
	req, err := c.request(&q.Row)
	if err != nil {
		return nil, err
	}
	method, vector := c.encode(ctx, q.Text)
	c.response.Items, c.response.Losers = c.response.Items[:0], c.response.Losers[:0]
	c.response.Tier, c.response.Candidates = ranker.Popular, 0
	if vector != nil {
		if err := c.match(vector, &req); err != nil {
			return nil, err
		}
	}
	list := c.list(q.Row.Surface, &req, false)
	list.Why = method
	if q.Explain {
		explainMatches(list.Items, c.response.Items)
	}
	c.info.Candidates = c.response.Candidates
	c.decide(0, q.Row.Surface, nil)
	return &SearchReply{List: list, Info: c.finish(), Method: method}, nil
}

// encode returns the text's vector, nil if it has none, and how the search is done.
func (c *call) encode(ctx context.Context, text string) (method string, vector []float32) {
	mark := time.Now()
	defer func() { c.info.Times.Encode = time.Since(mark).Microseconds() }()
	ctx, cancel := context.WithTimeout(ctx, encodeDeadline)
	defer cancel()
	vector = make([]float32, c.shop.dim)
	if err := c.gen.encoder.Encode(ctx, []string{text}, vector); err != nil {
		c.shop.config.Log.Warn("search text not encoded", "error", err)
		return "nothing: the text encoder did not answer in time; try again", nil
	}
	if isZero(vector) {
		return "nothing: the text has no word that the encoder knows; use other words", nil
	}
	return "text vector", vector
}

// match fills the response with the nearest servable items, best first.
func (c *call) match(vector []float32, req *ranker.Request) error {
	mark := time.Now()
	hits, err := c.gen.nearest.search(vector, searchCandidates(req.Limit), req.Allow, nil)
	if err != nil {
		return err
	}
	c.info.Times.Retrieve = time.Since(mark).Microseconds()
	mark = time.Now()
	c.response.Candidates = len(hits)
	taste := req.UserVector
	if req.PersonalizationOff {
		taste = nil
	}
	for _, h := range hits {
		row := c.shop.table.Row(h.ID)
		if row == nil || !row.Servable(req.Now) || req.Match != nil && !req.Match.Match(row) || slices.Contains(req.Hidden, h.ID) {
			continue
		}
		score := float64(h.Score)
		if taste != nil {
			score += tasteShare * dot(taste, c.gen.vectors.Vector(h.ID))
		}
		c.response.Items = append(c.response.Items, ranker.Ranked{Item: h.ID, Score: score, Propensity: 1})
	}
	slices.SortStableFunc(c.response.Items, func(a, b ranker.Ranked) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Item, b.Item))
	})
	c.response.Items = c.response.Items[:min(len(c.response.Items), req.Limit)]
	c.info.Times.Rank = time.Since(mark).Microseconds()
	return nil
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

// explainMatches gives each match its one reason.
func explainMatches(items []Item, ranked []ranker.Ranked) {
	for i := range items {
		items[i].Reasons = []Reason{{Feature: "text_similarity", Contribution: ranked[i].Score, Text: "Matches what you searched for"}}
	}
}
