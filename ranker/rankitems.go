package ranker

import "fmt"

// LeftOut is an item that the caller brought and that was not ranked.
type LeftOut struct {
	Item    uint32
	Verdict Verdict
}

// RankItems answers a request with Candidates, and appends to left those of them
// that were not ranked, and the variants that another stands for, in the order given. Those
// past the limit are not listed.
func (p *Pipeline) RankItems(req *Request, res *Response, left []LeftOut) ([]LeftOut, error) {
	if req.Candidates == nil {
		return left, fmt.Errorf("%w: RankItems needs Candidates", ErrRequest)
	}
	r, err := p.run(req, res)
	if err != nil {
		return left, err
	}
	defer p.release(r)
	for _, item := range req.Candidates {
		switch {
		case !r.known(item) || r.at(item).candidate < 0:
			left = append(left, LeftOut{Item: item, Verdict: r.verdict(item)})
		case r.at(item).mark&returned == 0 && len(res.Items) < req.Limit: // nothing else leaves room
			left = append(left, LeftOut{Item: item, Verdict: AnotherVariant})
		}
	}
	return left, nil
}
