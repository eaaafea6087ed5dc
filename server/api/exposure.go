package api

import (
	"context"
	"fmt"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/shop"
)

// exposureBy holds the domain value of each wire value.
var exposureBy = map[kindredv1.ExposureBy]shop.ExposureBy{
	kindredv1.ExposureBy_EXPOSURE_BY_UNSPECIFIED: shop.ByItem,
	kindredv1.ExposureBy_EXPOSURE_BY_ITEM:        shop.ByItem,
	kindredv1.ExposureBy_EXPOSURE_BY_SELLER:      shop.BySeller,
	kindredv1.ExposureBy_EXPOSURE_BY_BRAND:       shop.ByBrand,
	kindredv1.ExposureBy_EXPOSURE_BY_CATEGORY:    shop.ByCategory,
}

func (s *catalogService) GetExposure(ctx context.Context, req *kindredv1.GetExposureRequest) (*kindredv1.GetExposureResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	by, known := exposureBy[req.By]
	switch {
	case !known:
		return nil, invalid(violation{"by", fmt.Sprintf("%d is none of this version", req.By)})
	case len(req.Names) > maxRows:
		return nil, invalid(violation{"names", fmt.Sprintf("has %d names, at most %d are taken", len(req.Names), maxRows)})
	case req.Limit < 0 || req.Limit > maxRows:
		return nil, invalid(violation{"limit", fmt.Sprintf("is %d: give 1 to %d, or 0 for 100", req.Limit, maxRows)})
	case req.ExplainRequests < 0 || req.ExplainRequests > maxRows:
		return nil, invalid(violation{"explain_requests", fmt.Sprintf("is %d: give 1 to %d, or 0 for 100", req.ExplainRequests, maxRows)})
	}
	reply, err := sh.Exposure(ctx, &shop.ExposureQuery{
		By: by, Names: req.Names, From: timeOf(req.FromTime), Until: timeOf(req.UntilTime), Surface: req.Surface, Limit: int(req.Limit),
		Explain: req.ExplainItemId, Requests: int(req.ExplainRequests), Seed: req.Seed,
	})
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.GetExposureResponse{Lists: reply.Lists, Places: reply.Places, Omitted: reply.Omitted}
	for _, x := range reply.Rows {
		resp.Rows = append(resp.Rows, &kindredv1.Exposure{
			Name: x.Name, Shown: x.Shown, Clicked: x.Clicked, Purchased: x.Purchased, SlotMean: float64(x.Slots) / float64(max(1, x.Shown)),
		})
	}
	for _, v := range reply.Verdicts {
		resp.Verdicts = append(resp.Verdicts, &kindredv1.VerdictCount{
			Verdict: wireVerdicts[v.Verdict], Text: v.Verdict.String(), Requests: int32(v.Requests),
		})
	}
	return resp, nil
}

func (s *catalogService) CatalogHealth(ctx context.Context, req *kindredv1.CatalogHealthRequest) (*kindredv1.CatalogHealthResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	found, err := sh.CatalogHealth(ctx, timeOf(req.FromTime), timeOf(req.UntilTime))
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.CatalogHealthResponse{Items: found.Items, Omitted: found.Omitted}
	for _, c := range found.Checks {
		resp.Checks = append(resp.Checks, &kindredv1.CatalogCheck{
			Name: c.Name, Items: c.Items, Share: float64(c.Items) / float64(max(1, found.Items)), Sample: c.Sample, Text: c.Text,
		})
	}
	return resp, nil
}
