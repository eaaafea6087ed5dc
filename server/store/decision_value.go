package store

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// maxPresent is how many features of an item a mask can name.
const maxPresent = 64

func ranking(items []record.Shown) *storepb.Ranking {
	if len(items) == 0 {
		return nil
	}
	chance, wide, slots, features := false, false, false, 0
	for i := range items {
		chance = chance || items[i].Propensity != 1
		slots = slots || items[i].Slot != record.SlotScore
		wide = wide || len(items[i].Features) > maxPresent
		features += len(items[i].Features)
	}
	// One allocation for the columns of a kind: this runs for every reply.
	n := len(items)
	counts, reals := make([]uint32, 2*n), make([]float32, n, n+features)
	r := &storepb.Ranking{
		Item: counts[:0:n], Width: counts[n : n : 2*n], Score: reals[:0:n], Features: reals[n:],
	}
	if !wide {
		r.Present = make([]uint64, 0, n)
	}
	for i := range items {
		s := &items[i]
		r.Item = append(r.Item, s.Item)
		r.Score = append(r.Score, s.Score)
		r.Width = append(r.Width, uint32(len(s.Features)))
		if chance {
			r.Propensity = append(r.Propensity, s.Propensity)
		}
		if slots {
			r.Slots = append(r.Slots, byte(s.Slot))
		}
		if wide {
			r.Features = append(r.Features, s.Features...)
			continue
		}
		var present uint64
		for f, x := range s.Features {
			if math.Float32bits(x) != 0 { // a negative zero is kept, too
				present |= 1 << f
				r.Features = append(r.Features, x)
			}
		}
		r.Present = append(r.Present, present)
	}
	return r
}

// fromRanking checks that the columns fit together.
func fromRanking(r *storepb.Ranking) ([]record.Shown, error) {
	n := len(r.GetItem())
	if n == 0 {
		return nil, nil
	}
	if len(r.Score) != n || len(r.Width) != n || len(r.Propensity) != n && len(r.Propensity) != 0 ||
		len(r.Present) != n && len(r.Present) != 0 || len(r.Slots) != n && len(r.Slots) != 0 {
		return nil, fmt.Errorf("store: a ranking has %d items, %d scores, %d propensities, %d widths, %d masks, %d slots: %w",
			n, len(r.Score), len(r.Propensity), len(r.Width), len(r.Present), len(r.Slots), record.ErrCorrupt)
	}
	out := make([]record.Shown, n)
	features := r.Features
	for i := range out {
		out[i] = record.Shown{Item: r.Item[i], Score: r.Score[i], Propensity: 1}
		if len(r.Propensity) > 0 {
			out[i].Propensity = r.Propensity[i]
		}
		if len(r.Slots) > 0 {
			out[i].Slot = record.SlotKind(r.Slots[i])
		}
		var ok bool
		if len(r.Present) > 0 {
			out[i].Features, features, ok = spread(features, r.Width[i], r.Present[i])
		} else {
			out[i].Features, features, ok = cut(features, r.Width[i])
		}
		if !ok {
			return nil, fmt.Errorf("store: a ranking lacks features of item %d: %w", i, record.ErrCorrupt)
		}
	}
	return out, nil
}

// cut takes the next features of an item off the list.
func cut(features []float32, width uint32) (own, rest []float32, ok bool) {
	if int64(width) > int64(len(features)) {
		return nil, nil, false
	}
	if width > 0 {
		own = features[:width:width]
	}
	return own, features[width:], true
}

// spread takes those of an item that a mask names, and zeros between them.
func spread(features []float32, width uint32, present uint64) (own, rest []float32, ok bool) {
	if width > maxPresent || bits.Len64(present) > int(width) || bits.OnesCount64(present) > len(features) {
		return nil, nil, false
	}
	if width == 0 {
		return nil, features, true
	}
	own = make([]float32, width)
	for f := range own {
		if present&(1<<f) != 0 {
			own[f], features = features[0], features[1:]
		}
	}
	return own, features, true
}

func listMessage(l *record.List) *storepb.List {
	return &storepb.List{
		Id: l.ID, User: l.UserNumber, TimeNs: l.Time.UnixNano(), Items: ranking(l.Items),
		Tier: l.Tier, Why: l.Why, Generation: l.Generation, Seed: l.Seed,
		Surface: l.Surface, Policy: l.Policy, Context: l.Context,
		Experiment: l.Assignment.Experiment, Variant: l.Assignment.Variant, Assignment: uint32(l.Assignment.Kind),
		Seen: seenNumber(l.Seen), Diversity: l.Diversity, ProfileEpoch: l.Profile.Epoch, ProfileSeq: l.Profile.Seq,
		Applied: l.Applied, ClockNs: clockNumber(l.Clock, l.Time), Names: &storepb.FeatureNames{Name: l.FeatureNames},
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
		Surface: m.Surface, Policy: m.Policy, Context: m.Context,
		Assignment: record.Assignment{Experiment: m.Experiment, Variant: m.Variant, Kind: record.AssignmentKind(m.Assignment)},
		Seen:       seenName(m.Seen), Diversity: m.Diversity, Profile: record.Token{Epoch: m.ProfileEpoch, Seq: m.ProfileSeq},
		Applied: m.Applied, Clock: fromClockNumber(m.ClockNs), FeatureNames: m.Names.GetName(),
	}, nil
}
