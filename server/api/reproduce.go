package api

import (
	"context"
	"fmt"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// reproductionWire and inputWire hold the wire value of each domain value; a test visits
// all.
var (
	reproductionWire = map[shop.Reproduction]kindredv1.Reproduction{
		shop.ReproducedSame:      kindredv1.Reproduction_REPRODUCTION_SAME,
		shop.ReproducedDifferent: kindredv1.Reproduction_REPRODUCTION_DIFFERENT,
		shop.ReproducedVerified:  kindredv1.Reproduction_REPRODUCTION_VERIFIED,
		shop.ReproducedGone:      kindredv1.Reproduction_REPRODUCTION_GONE,
	}
	inputWire = map[shop.InputState]kindredv1.InputState{
		shop.InputSame:    kindredv1.InputState_INPUT_STATE_SAME,
		shop.InputChanged: kindredv1.InputState_INPUT_STATE_CHANGED,
		shop.InputGone:    kindredv1.InputState_INPUT_STATE_GONE,
	}
)

func (s *recommendationService) Reproduce(ctx context.Context, req *kindredv1.ReproduceRequest) (*kindredv1.ReproduceResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	if req.RecommendationId == "" || len(req.RecommendationId) > record.MaxReply {
		return nil, invalid(violation{"recommendation_id", fmt.Sprintf("has %d bytes: give the id of a reply, 1 to %d bytes", len(req.RecommendationId), record.MaxReply)})
	}
	reply, err := sh.Reproduce(ctx, req.RecommendationId)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.ReproduceResponse{
		Reproduction: reproductionWire[reply.Reproduction], Text: printable(reply.Text), LoggedItemIds: reply.Logged,
		ItemIds: reply.Made, ListPropensity: reply.ListPropensity,
	}
	for _, in := range reply.Inputs {
		resp.Inputs = append(resp.Inputs, &kindredv1.ReproducedInput{Name: in.Name, State: inputWire[in.State], Text: printable(in.Text)})
	}
	return resp, nil
}
