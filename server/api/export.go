package api

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

func (s *adminService) ExportEvents(req *kindredv1.ExportEventsRequest, stream kindredv1.AdminService_ExportEventsServer) error {
	ctx := stream.Context()
	if req.Limit < 0 {
		return invalid(violation{"limit", fmt.Sprintf("is %d: give 1 or more, or 0 for all", req.Limit)})
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	after, err := sh.ParseToken(req.AfterWriteToken)
	if err != nil {
		return s.statusOf(ctx, named(err, "after_write_token"))
	}
	page := &kindredv1.ExportEventsResponse{}
	flush := func() error {
		if len(page.Events) == 0 {
			return nil
		}
		err := stream.Send(page)
		page = &kindredv1.ExportEventsResponse{}
		return err
	}
	err = sh.ExportEvents(after, req.Limit, func(at record.Token, e *record.Event) error {
		page.Events = append(page.Events, eventToWire(e))
		page.WriteToken, page.LogSequence = sh.FormatToken(at), int64(at.Seq)
		if len(page.Events) == maxRows {
			return flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	return flush()
}

// decisionsPerMessage keeps an export message well under the message limit.
const decisionsPerMessage = 100

func (s *adminService) ExportDecisions(req *kindredv1.ExportDecisionsRequest, stream kindredv1.AdminService_ExportDecisionsServer) error {
	ctx := stream.Context()
	bounds := map[string]*timestamppb.Timestamp{"from_time": req.FromTime, "until_time": req.UntilTime}
	for _, f := range badTimes(bounds) {
		return invalid(violation(struct{ field, description string }{f.Field, f.Description}))
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	until := timeOf(req.UntilTime)
	if until.IsZero() {
		until = s.Now()
	}
	page := &kindredv1.ExportDecisionsResponse{}
	flush := func() error {
		if len(page.Decisions) == 0 {
			return nil
		}
		err := stream.Send(page)
		page = &kindredv1.ExportDecisionsResponse{}
		return err
	}
	err = sh.ExportDecisions(timeOf(req.FromTime), until, func(d *record.Decision) error {
		page.Decisions = append(page.Decisions, &kindredv1.Decision{
			RecommendationId: d.ID, Time: stampOf(d.Time), UserNumber: d.UserNumber, Surface: d.Surface,
			ContextItemIds: d.Context, Policy: d.Policy, Generation: d.Generation, Seed: d.Seed,
			Tier: strings.ToLower(d.Tier), ProfileToken: sh.FormatToken(d.Profile), Candidates: d.Candidates,
			Items: shownToWire(sh.ItemID, d.Items), Losers: shownToWire(sh.ItemID, d.Losers), FeatureNames: d.FeatureNames,
			Kind: decisionWire[d.Kind], Assignment: assignmentToWire(d.Assignment), Filter: d.Filter, Limit: d.Limit,
			SeenPolicy: seenWire[d.Seen], Diversity: float64(d.Diversity), Excluded: int32(len(d.Exclude)),
			ClockTime: stampOf(d.ClockTime()), LogApplied: int64(d.Applied), Offset: d.Offset, FirstPageId: d.First,
		})
		if len(page.Decisions) == decisionsPerMessage {
			return flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	return flush()
}

// decisionWire holds the wire value of each kind; a test visits all.
var decisionWire = map[record.DecisionKind]kindredv1.DecisionKind{
	record.DecisionRecommend: kindredv1.DecisionKind_DECISION_KIND_RECOMMEND,
	record.DecisionPage:      kindredv1.DecisionKind_DECISION_KIND_PAGE,
	record.DecisionSimilar:   kindredv1.DecisionKind_DECISION_KIND_SIMILAR,
	record.DecisionTogether:  kindredv1.DecisionKind_DECISION_KIND_BOUGHT_TOGETHER,
	record.DecisionSearch:    kindredv1.DecisionKind_DECISION_KIND_SEARCH,
	record.DecisionRank:      kindredv1.DecisionKind_DECISION_KIND_RANK_ITEMS,
	record.DecisionBulk:      kindredv1.DecisionKind_DECISION_KIND_BULK,
}

func shownToWire(id func(uint32) string, shown []record.Shown) []*kindredv1.ShownItem {
	list := make([]*kindredv1.ShownItem, len(shown))
	for i, sh := range shown {
		list[i] = &kindredv1.ShownItem{
			ItemId: id(sh.Item), Score: float64(sh.Score), Propensity: float64(sh.Propensity), Features: sh.Features,
			SlotKind: slotWire[sh.Slot],
		}
	}
	return list
}
