package api

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

type recommendationService struct {
	kindredv1.UnimplementedRecommendationServiceServer
	*Server
}

// read returns what a request is converted with.
func (s *recommendationService) read(ctx context.Context) (*reading, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	return &reading{shop: sh, bounds: &s.Bounds}, nil
}

// mayAsk refuses fields of scientists to roles that only serve frontends.
func mayAsk(ctx context.Context, fields map[string]bool) error {
	p, err := caller(ctx)
	if err != nil || p.Role == record.RoleScientist || p.Role == record.RoleAdmin {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if fields[field] {
			return status.Errorf(codes.PermissionDenied, "%s is for keys of the roles scientist and admin", field)
		}
	}
	return nil
}

// overrides are the fields of a request for lists that only scientists may set.
func overrides(req *kindredv1.RecommendRequest) map[string]bool {
	return map[string]bool{
		"as_of": req.GetAsOf() != nil, "policy": req.GetPolicy() != "",
		"experiment": req.GetExperiment() != "" || req.GetVariant() != "",
	}
}

func (s *recommendationService) Recommend(ctx context.Context, req *kindredv1.RecommendRequest) (*kindredv1.RecommendResponse, error) {
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := mayAsk(ctx, overrides(req)); err != nil {
		return nil, err
	}
	reply, err := s.lists(ctx, r, req)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.RecommendResponse{
		RecommendationId: reply.Info.RecommendationID, Info: infoToWire(r.shop, &reply.Info, &reply.Lists[0]), NextPageToken: reply.NextPage,
	}
	for i := range reply.Lists {
		list := &reply.Lists[i]
		items, err := itemsToWire(r.shop, list.Items, req.IncludeItems)
		if err != nil {
			return nil, s.statusOf(ctx, err)
		}
		if i == 0 {
			resp.Tier, resp.TierReason = wireTiers[list.Tier], list.Why
		}
		if len(req.Rows) == 0 {
			resp.Items = items
			continue
		}
		resp.Rows = append(resp.Rows, &kindredv1.RecommendedRow{
			Surface: list.Surface, Items: items, Tier: wireTiers[list.Tier], TierReason: list.Why,
			Policy: list.Policy, Assignment: assignmentToWire(list.Assignment), Conflicts: list.Conflicts,
		})
	}
	return resp, nil
}

// lists asks for new lists, or for the next page of a kept one.
func (s *recommendationService) lists(ctx context.Context, r *reading, req *kindredv1.RecommendRequest) (*shop.Reply, error) {
	if req.PageToken != "" && len(req.Rows) == 0 {
		q := r.page(req)
		if err := r.err(); err != nil {
			return nil, err
		}
		return r.shop.Page(ctx, &q)
	}
	q := r.recommend(req)
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.shop.Recommend(ctx, &q)
}

func (s *recommendationService) SimilarItems(ctx context.Context, req *kindredv1.SimilarItemsRequest) (*kindredv1.SimilarItemsResponse, error) {
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if f := checkID("item_id", req.ItemId, true); f != nil {
		r.faults = append(r.faults, *f)
	}
	if _, ok := kindredv1.Relation_name[int32(req.Relation)]; !ok {
		r.fault("relation", "%d is no relation of this version", req.Relation)
	}
	if err := mayAsk(ctx, map[string]bool{"policy": req.Policy != ""}); err != nil {
		return nil, err
	}
	q := shop.SimilarQuery{
		Item: req.ItemId, Together: req.Relation == kindredv1.Relation_RELATION_BOUGHT_TOGETHER,
		Row: r.row("", &kindredv1.RowRequest{
			Surface: cmp.Or(req.Surface, "similar"), Limit: req.Limit, Filter: req.Filter, SeenPolicy: req.SeenPolicy, Diversity: req.Diversity,
		}, shop.SeenKeep),
		Exclude: r.ids("exclude_item_ids", req.ExcludeItemIds, r.bounds.Exclude, "max-exclude"),
		Subject: r.subject(req.Subject), Seed: req.Seed, Explain: req.Explain,
	}
	q.Row.Policy = r.policy(req.Policy)
	if err := r.err(); err != nil {
		return nil, err
	}
	reply, err := r.shop.Similar(ctx, &q)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	items, err := itemsToWire(r.shop, reply.List.Items, req.IncludeItems)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.SimilarItemsResponse{
		RecommendationId: reply.Info.RecommendationID, Items: items, Tier: wireTiers[reply.List.Tier],
		TierReason: reply.List.Why, Info: infoToWire(r.shop, &reply.Info, &reply.List),
	}, nil
}

func (s *recommendationService) SearchItems(ctx context.Context, req *kindredv1.SearchItemsRequest) (*kindredv1.SearchItemsResponse, error) {
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if req.Query == "" {
		r.fault("query", "is missing: give 1 to %d bytes of text", r.bounds.SearchText)
	}
	q := shop.SearchQuery{
		Text: r.text("query", req.Query, r.bounds.SearchText, "max-search-text"), Subject: r.subject(req.Subject),
		Row: r.row("", &kindredv1.RowRequest{
			Surface: cmp.Or(req.Surface, "search"), Limit: req.Limit, Filter: req.Filter, SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_KEEP,
		}, shop.SeenKeep),
		Fresh: r.fresh(req.MinWriteToken, req.MaxWait), Seed: req.Seed, Explain: req.Explain,
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	reply, err := r.shop.Search(ctx, &q)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	items, err := itemsToWire(r.shop, reply.List.Items, req.IncludeItems)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	for _, it := range items {
		it.Sources = []kindredv1.Source{kindredv1.Source_SOURCE_TEXT}
	}
	return &kindredv1.SearchItemsResponse{
		RecommendationId: reply.Info.RecommendationID, Items: items, Info: infoToWire(r.shop, &reply.Info, &reply.List), Method: reply.Method,
	}, nil
}

func (s *recommendationService) RankItems(ctx context.Context, req *kindredv1.RankItemsRequest) (*kindredv1.RankItemsResponse, error) {
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := mayAsk(ctx, map[string]bool{"as_of": req.AsOf != nil, "policy": req.Policy != ""}); err != nil {
		return nil, err
	}
	if len(req.ItemIds) == 0 {
		r.fault("item_ids", "is empty: give 1 to %d ids", r.bounds.Candidates)
	}
	q := shop.RankQuery{
		Subject: r.subject(req.Subject), Items: r.distinct("item_ids", r.ids("item_ids", req.ItemIds, r.bounds.Candidates, "max-candidates")),
		Row: r.row("", &kindredv1.RowRequest{
			Surface: req.Surface, Filter: req.Filter, SeenPolicy: req.SeenPolicy, Diversity: req.Diversity,
		}, shop.SeenKeep),
		Context: r.ids("context_item_ids", req.ContextItemIds, r.bounds.Context, "max-context"),
		AsOf:    r.asOf(req.AsOf), Fresh: r.fresh(req.MinWriteToken, req.MaxWait), Seed: req.Seed, Explain: req.Explain,
	}
	q.Row.Limit, q.Row.Policy = r.limit("limit", req.Limit, r.bounds.Candidates, "max-candidates"), r.policy(req.Policy)
	if err := r.err(); err != nil {
		return nil, err
	}
	reply, err := r.shop.Rank(ctx, &q)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	items, err := itemsToWire(r.shop, reply.List.Items, req.IncludeItems)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.RankItemsResponse{
		RecommendationId: reply.Info.RecommendationID, Items: items, Tier: wireTiers[reply.List.Tier],
		TierReason: reply.List.Why, Info: infoToWire(r.shop, &reply.Info, &reply.List),
	}
	for _, l := range reply.LeftOut {
		resp.LeftOut = append(resp.LeftOut, &kindredv1.LeftOut{ItemId: l.ID, Verdict: wireVerdicts[l.Verdict], Text: l.Text})
	}
	return resp, nil
}

// distinct faults an id that stands twice.
func (r *reading) distinct(field string, ids []string) []string {
	first := make(map[string]int, len(ids))
	for i, id := range ids {
		if at, twice := first[id]; twice {
			r.fault(field, "%.40q stands at %d and at %d: give each id once", id, at, i)
			return ids
		}
		first[id] = i
	}
	return ids
}

func (s *recommendationService) Explain(ctx context.Context, req *kindredv1.ExplainRequest) (*kindredv1.ExplainResponse, error) {
	r, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if req.Request == nil {
		return nil, invalid(violation{"request", "is missing: give the request to explain"})
	}
	if err := mayAsk(ctx, overrides(req.Request)); err != nil {
		return nil, err
	}
	if len(req.Request.Rows) > 0 || req.Request.PageToken != "" {
		r.fault("request", "has rows or a page_token: explain one list at a time, with the fields of its row")
	}
	if len(req.ItemIds) == 0 {
		r.fault("item_ids", "is empty: give 1 to %d ids", maxExplain)
	}
	q := shop.ExplainQuery{Query: r.recommend(req.Request), Items: r.ids("item_ids", req.ItemIds, maxExplain, "")}
	if err := r.err(); err != nil {
		return nil, err
	}
	reply, err := r.shop.Explain(ctx, &q)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.ExplainResponse{
		Explanations: placementsToWire(reply.Items), Tier: wireTiers[reply.List.Tier], TierReason: reply.List.Why,
		Info: infoToWire(r.shop, &reply.Info, &reply.List),
	}, nil
}
