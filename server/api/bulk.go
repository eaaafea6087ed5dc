package api

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// Bounds of a bulk call, as the wire contract states them.
const (
	maxBulk         = 100_000
	maxSegmentItems = 100
	maxMinEvents    = 256
	resultsPerReply = 100
	bulkFlush       = time.Second
)

func (s *recommendationService) RecommendBulk(req *kindredv1.RecommendBulkRequest, stream kindredv1.RecommendationService_RecommendBulkServer) error {
	ctx := stream.Context()
	r, err := s.read(ctx)
	if err != nil {
		return err
	}
	if err := mayAsk(ctx, map[string]bool{"request.policy": req.GetRequest().GetPolicy() != ""}); err != nil {
		return err
	}
	q := r.bulk(req)
	if err := r.err(); err != nil {
		return err
	}
	page, sent, visited := &kindredv1.RecommendBulkResponse{}, time.Now(), int64(0)
	flush := func() error {
		err := stream.Send(page)
		page, sent = &kindredv1.RecommendBulkResponse{}, time.Now()
		return err
	}
	next, err := r.shop.Bulk(ctx, &q, func(b shop.BulkResult) error {
		page.Cursor, page.Visited, visited = b.Cursor, b.Visited, b.Visited
		if b.Reply != nil {
			w, err := bulkToWire(r.shop, &b, req.GetRequest().GetIncludeItems())
			if err != nil {
				return err
			}
			page.Results = append(page.Results, w)
		}
		if len(page.Results) == resultsPerReply || b.Reply == nil || time.Since(sent) > bulkFlush {
			return flush()
		}
		return nil
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	// The end is said even if the message before had the last result.
	page.Visited, page.Cursor = visited, next
	return flush()
}

// bulk converts a request.
func (r *reading) bulk(w *kindredv1.RecommendBulkRequest) shop.BulkQuery {
	q := shop.BulkQuery{Cursor: w.Cursor, Max: r.limit("max_results", w.MaxResults, maxBulk, "")}
	if q.Max == 0 {
		q.Max = maxBulk
	}
	ask := w.Request
	if ask == nil {
		ask = &kindredv1.RecommendRequest{}
	}
	rest := proto.Clone(ask).(*kindredv1.RecommendRequest)
	rest.Surface, rest.Limit, rest.Filter, rest.ExcludeItemIds, rest.SeenPolicy = "", 0, "", nil, 0
	rest.Diversity, rest.Seed, rest.IncludeItems, rest.Explain, rest.Policy = nil, 0, false, false, ""
	if proto.Size(rest) > 0 {
		r.fault("request", "has fields that do not go with many subjects: give surface, limit, filter, exclude_item_ids, seen_policy, diversity, seed, include_items, explain and policy alone")
	}
	q.Row = r.row("request.", &kindredv1.RowRequest{
		Surface: ask.Surface, Limit: ask.Limit, Filter: ask.Filter, SeenPolicy: ask.SeenPolicy, Diversity: ask.Diversity,
	}, shop.SeenDefault)
	q.Row.Policy, q.Exclude, q.Seed, q.Explain = r.policy(ask.Policy), r.ids("request.exclude_item_ids", ask.ExcludeItemIds, r.bounds.Exclude, "max-exclude"), ask.Seed, ask.Explain
	switch {
	case (len(w.Subjects) == 0) == (w.Segment == nil):
		r.fault("subjects", "has %d entries beside a segment or none: give 1 to %d subjects, or a segment", len(w.Subjects), maxBulk)
	case len(w.Subjects) > maxBulk:
		r.fault("subjects", "has %d entries, at most %d are taken: ask in several calls", len(w.Subjects), maxBulk)
	case w.Segment != nil:
		q.Segment = r.segment(w.Segment)
	default:
		q.Subjects = r.subjects(w.Subjects)
	}
	return q
}

func (r *reading) subjects(list []*kindredv1.Subject) []shop.Subject {
	out := make([]shop.Subject, len(list))
	for i, w := range list {
		field := fmt.Sprintf("subjects[%d]", i)
		if w.GetUserId() == "" && w.GetSessionId() == "" {
			r.fault(field, "names nobody: give user_id or session_id")
		}
		for _, f := range []*violation{checkID(field+".user_id", w.GetUserId(), false), checkID(field+".session_id", w.GetSessionId(), false)} {
			if f != nil {
				r.faults = append(r.faults, *f)
			}
		}
		if len(r.faults) >= maxFaults {
			return nil // the first say enough
		}
		out[i] = shop.Subject{User: w.GetUserId(), Session: w.GetSessionId()}
	}
	return out
}

// maxFaults bounds the violations of a long list.
const maxFaults = 100

func (r *reading) segment(w *kindredv1.Segment) *shop.Segment {
	for _, f := range badTimes(map[string]*timestamppb.Timestamp{"segment.active_since": w.ActiveSince}) {
		r.faults = append(r.faults, violation{f.Field, f.Description})
	}
	return &shop.Segment{
		Since: timeOf(w.ActiveSince), MinEvents: r.limit("segment.min_events", w.MinEvents, maxMinEvents, ""),
		Items: r.ids("segment.item_ids", w.ItemIds, maxSegmentItems, ""), Filter: r.text("segment.filter", w.Filter, record.MaxFilter, ""),
	}
}

func bulkToWire(sh *shop.Shop, b *shop.BulkResult, include bool) (*kindredv1.BulkResult, error) {
	list, info := &b.Reply.Lists[0], &b.Reply.Info
	items, err := itemsToWire(sh, list.Items, include)
	if err != nil {
		return nil, err
	}
	return &kindredv1.BulkResult{
		Subject:          &kindredv1.Subject{UserId: b.Subject.User, SessionId: b.Subject.Session},
		RecommendationId: info.RecommendationID, Items: items, Tier: wireTiers[list.Tier], TierReason: list.Why,
		Policy: list.Policy, Assignment: assignmentToWire(list.Assignment), Generation: info.Generation, Seed: info.Seed,
		DecisionLogged: info.Logged,
	}, nil
}
