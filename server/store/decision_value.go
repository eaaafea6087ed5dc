package store

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func ranking(items []record.Shown) *storepb.Ranking {
	if len(items) == 0 {
		return nil
	}
	r := &storepb.Ranking{}
	for _, s := range items {
		r.Item = append(r.Item, s.Item)
		r.Score = append(r.Score, s.Score)
		r.Propensity = append(r.Propensity, s.Propensity)
		r.Width = append(r.Width, uint32(len(s.Features)))
		r.Features = append(r.Features, s.Features...)
	}
	return r
}

// fromRanking checks that the columns fit together.
func fromRanking(r *storepb.Ranking) ([]record.Shown, error) {
	n := len(r.GetItem())
	if n == 0 {
		return nil, nil
	}
	if len(r.Score) != n || len(r.Propensity) != n || len(r.Width) != n {
		return nil, fmt.Errorf("store: a ranking has %d items, %d scores, %d propensities, %d widths: %w",
			n, len(r.Score), len(r.Propensity), len(r.Width), record.ErrCorrupt)
	}
	out := make([]record.Shown, n)
	features := r.Features
	for i := range out {
		w := int(r.Width[i])
		if w > len(features) {
			return nil, fmt.Errorf("store: a ranking lacks features of item %d: %w", i, record.ErrCorrupt)
		}
		out[i] = record.Shown{Item: r.Item[i], Score: r.Score[i], Propensity: r.Propensity[i]}
		if w > 0 {
			out[i].Features = features[:w:w]
		}
		features = features[w:]
	}
	return out, nil
}

func decisionMessage(d *record.Decision) *storepb.Decision {
	return &storepb.Decision{
		Id: d.ID, TimeNs: d.Time.UnixNano(), User: d.UserNumber, Surface: d.Surface, Context: d.Context,
		Policy: d.Policy, Generation: d.Generation, Seed: d.Seed, Tier: d.Tier,
		ProfileEpoch: d.Profile.Epoch, ProfileSeq: d.Profile.Seq, Candidates: d.Candidates,
		Items: ranking(d.Items), Losers: ranking(d.Losers), FeatureNames: d.FeatureNames,
	}
}

func decodeDecision(v []byte) (record.Decision, error) {
	var m storepb.Decision
	if err := decode(v, valueOther, &m); err != nil {
		return record.Decision{}, err
	}
	items, err := fromRanking(m.Items)
	if err != nil {
		return record.Decision{}, err
	}
	losers, err := fromRanking(m.Losers)
	if err != nil {
		return record.Decision{}, err
	}
	return record.Decision{
		ID: m.Id, Time: time.Unix(0, m.TimeNs).UTC(), UserNumber: m.User, Surface: m.Surface, Context: m.Context,
		Policy: m.Policy, Generation: m.Generation, Seed: m.Seed, Tier: m.Tier,
		Profile: record.Token{Epoch: m.ProfileEpoch, Seq: m.ProfileSeq}, Candidates: m.Candidates,
		Items: items, Losers: losers, FeatureNames: m.FeatureNames,
	}, nil
}

func listMessage(l *record.List) *storepb.List {
	return &storepb.List{
		Id: l.ID, User: l.UserNumber, TimeNs: l.Time.UnixNano(), Items: ranking(l.Items),
		Tier: l.Tier, Why: l.Why, Generation: l.Generation, Seed: l.Seed,
	}
}

func decodeList(v []byte) (record.List, error) {
	var m storepb.List
	if err := decode(v, valueOther, &m); err != nil {
		return record.List{}, err
	}
	items, err := fromRanking(m.Items)
	if err != nil {
		return record.List{}, err
	}
	return record.List{
		ID: m.Id, UserNumber: m.User, Time: time.Unix(0, m.TimeNs).UTC(), Items: items,
		Tier: m.Tier, Why: m.Why, Generation: m.Generation, Seed: m.Seed,
	}, nil
}
