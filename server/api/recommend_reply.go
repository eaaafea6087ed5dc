package api

import (
	"errors"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// wireTiers, wireSources and wireVerdicts hold the wire value of each domain
// value; a test visits all.
var (
	wireTiers = map[ranker.Tier]kindredv1.Tier{
		ranker.Personalized:   kindredv1.Tier_TIER_PERSONALIZED,
		ranker.Session:        kindredv1.Tier_TIER_SESSION,
		ranker.ItemNeighbours: kindredv1.Tier_TIER_ITEM_NEIGHBOURS,
		ranker.Popular:        kindredv1.Tier_TIER_POPULAR,
	}
	wireSources = map[ranker.Source]kindredv1.Source{
		ranker.FromUserVector:     kindredv1.Source_SOURCE_USER_VECTOR,
		ranker.FromItemNeighbours: kindredv1.Source_SOURCE_ITEM_NEIGHBOUR,
		ranker.FromCoVisited:      kindredv1.Source_SOURCE_CO_VISITED,
		ranker.FromTrending:       kindredv1.Source_SOURCE_TRENDING,
		ranker.FromPopular:        kindredv1.Source_SOURCE_POPULAR,
		ranker.FromArrivals:       kindredv1.Source_SOURCE_NEW,
		ranker.FromRepeat:         kindredv1.Source_SOURCE_REPEAT,
		ranker.FromCaller:         kindredv1.Source_SOURCE_CALLER,
		ranker.FromPolicy:         kindredv1.Source_SOURCE_POLICY,
	}
	wireVerdicts = map[ranker.Verdict]kindredv1.Verdict{
		ranker.Shown:        kindredv1.Verdict_VERDICT_SHOWN,
		ranker.RankedBelow:  kindredv1.Verdict_VERDICT_RANKED_BELOW,
		ranker.NotRetrieved: kindredv1.Verdict_VERDICT_NOT_RETRIEVED,
		ranker.NotInCatalog: kindredv1.Verdict_VERDICT_UNKNOWN,
		ranker.HiddenItem:   kindredv1.Verdict_VERDICT_HIDDEN,
		ranker.OutOfStock:   kindredv1.Verdict_VERDICT_OUT_OF_STOCK,
		ranker.Unavailable:  kindredv1.Verdict_VERDICT_UNAVAILABLE,
		ranker.Filtered:     kindredv1.Verdict_VERDICT_FILTERED,
		ranker.Seen:         kindredv1.Verdict_VERDICT_SEEN,
		ranker.Excluded:     kindredv1.Verdict_VERDICT_EXCLUDED,

		ranker.ExcludedByRule:    kindredv1.Verdict_VERDICT_EXCLUDED_BY_RULE,
		ranker.DailyCapReached:   kindredv1.Verdict_VERDICT_DAILY_CAP_REACHED,
		ranker.OverCap:           kindredv1.Verdict_VERDICT_OVER_CAP,
		ranker.AnotherVariant:    kindredv1.Verdict_VERDICT_ANOTHER_VARIANT,
		ranker.LostDraw:          kindredv1.Verdict_VERDICT_LOST_DRAW,
		ranker.PushedByDiversity: kindredv1.Verdict_VERDICT_PUSHED_BY_DIVERSITY,
		ranker.PushedByRule:      kindredv1.Verdict_VERDICT_PUSHED_BY_RULE,
		ranker.PushedByFatigue:   kindredv1.Verdict_VERDICT_PUSHED_BY_FATIGUE,
	}
)

// itemsToWire converts the items of a list. The messages come from one slice: one
// allocation for the list instead of one an item.
func itemsToWire(sh *shop.Shop, items []shop.Item, include bool) ([]*kindredv1.RecommendedItem, error) {
	messages := make([]kindredv1.RecommendedItem, len(items))
	list := make([]*kindredv1.RecommendedItem, 0, len(items))
	for i := range items {
		it, w := &items[i], &messages[i]
		w.ItemId, w.Score, w.Propensity = it.ID, it.Score, it.Propensity
		w.Sources, w.SlotKind = sourcesToWire(it.Sources), slotWire[it.Slot]
		if it.Calibrated {
			w.Probability = &it.Probability
		}
		w.Reasons = reasonsToWire(it.Reasons, maxReasons)
		if include {
			state, err := sh.Item(it.ID)
			if errors.Is(err, record.ErrNotFound) {
				continue // deleted since it was ranked
			}
			if err != nil {
				return nil, err
			}
			w.Item = itemToWire(&state.Item)
		}
		list = append(list, w)
	}
	return list, nil
}

// maxReasons bounds the reasons of one item of a list; Explain gives all.
const maxReasons = 8

// sourceLists is the wire form of every set of sources. Replies share them: each item of
// each list has one.
var sourceLists = func() [][]kindredv1.Source {
	lists := make([][]kindredv1.Source, 1<<len(wireSources))
	var buf [16]ranker.Source
	for set := range lists {
		for _, s := range ranker.Sources(set).Append(buf[:0]) {
			lists[set] = append(lists[set], wireSources[s])
		}
	}
	return lists
}()

// sourcesToWire returns a slice that must not be changed.
func sourcesToWire(set ranker.Sources) []kindredv1.Source { return sourceLists[set] }

func reasonsToWire(reasons []shop.Reason, bound int) []*kindredv1.Reason {
	var w []*kindredv1.Reason
	for _, r := range reasons[:min(bound, len(reasons))] {
		w = append(w, &kindredv1.Reason{
			Feature: r.Feature, Contribution: r.Contribution, BecauseItemId: r.Because, Text: r.Text,
		})
	}
	return w
}

// infoToWire tells what made a reply; list is its first.
func infoToWire(sh *shop.Shop, in *shop.Info, list *shop.List) *kindredv1.ReplyInfo {
	return &kindredv1.ReplyInfo{
		Generation: in.Generation, Policy: list.Policy, Assignment: assignmentToWire(list.Assignment), Conflicts: list.Conflicts, Seed: in.Seed, ProfileToken: sh.FormatToken(in.Profile),
		Lag: in.Lag, Candidates: int32(in.Candidates), DecisionLogged: in.Logged,
		RankingAgeUs: in.RankingAge.Microseconds(),
		StageTimes: &kindredv1.StageTimes{
			WaitUs: in.Times.Wait, ProfileUs: in.Times.Profile, RetrieveUs: in.Times.Retrieve, RankUs: in.Times.Rank,
			EncodeUs: in.Times.Encode, LogUs: in.Times.Log, TotalUs: in.Times.Total,
		},
	}
}

func placementsToWire(items []shop.Placement) []*kindredv1.Explanation {
	list := make([]*kindredv1.Explanation, len(items))
	for i := range items {
		p := &items[i]
		w := &kindredv1.Explanation{
			ItemId: printable(p.ID), Verdict: wireVerdicts[p.Verdict], Rank: int32(p.Rank), Score: p.Score,
			Sources: sourcesToWire(p.Sources), Reasons: reasonsToWire(p.Reasons, len(p.Reasons)), Text: p.Text,
			PlaceByScore: int32(p.ByScore), PlaceByValue: int32(p.ByValue), Value: p.Value, Rest: p.Rest,
			FilterClause: p.Clause, InsteadItemId: p.Instead,
		}
		if p.Calibrated {
			w.Probability = &p.Probability
		}
		if p.Verdict == ranker.Shown {
			w.SlotKind, w.Propensity, w.DiversityPenalty = slotWire[p.Slot], p.Propensity, p.Penalty
		}
		for _, e := range p.Effects {
			w.Effects = append(w.Effects, &kindredv1.RuleEffect{Rule: e.Name, Action: e.Action.String(), Change: e.Change})
		}
		for _, n := range p.Near {
			w.NearMisses = append(w.NearMisses, &kindredv1.NearMiss{
				Source: wireSources[n.Source], AnchorItemId: n.AnchorID, Place: int32(n.Place), Looked: int32(n.Looked), Takes: int32(n.Takes),
			})
		}
		list[i] = w
	}
	return list
}
