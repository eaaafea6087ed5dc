package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// batchTime is the time of the first decision of a batch, by its key.
func batchTime(key []byte) time.Time {
	return time.Unix(0, unorderedTime(binary.BigEndian.Uint64(key[prefixLen:])))
}

// batchWriter builds the values of batches.
type batchWriter struct {
	limit int // of a value in bytes
	batch storepb.DecisionBatch
	bytes int // what the batch takes, or more
	count int
}

// size is what a decision takes in an empty batch, to within some bytes more.
func (w *batchWriter) size(d *record.Decision) int {
	return proto.Size(decisionMessage(d)) + perDecision + w.namesSize(d)
}

// bound is at least size, and quickly told: this runs for every reply.
func (w *batchWriter) bound(d *record.Decision) int {
	n := fixedFields + w.namesSize(d) + len(d.ID) + len(d.Surface) + len(d.Policy) + len(d.Generation) + len(d.Tier) +
		len(d.Assignment.Experiment) + len(d.Assignment.Variant) + len(d.Filter) + len(d.First) + len(d.Again)
	for _, id := range d.Context {
		n += len(id) + 4
	}
	return n + 5*len(d.Exclude) + rankingBound(d.Items) + rankingBound(d.Losers)
}

const (
	// perDecision is for what a batch keeps of each beside its message: user, tag, length.
	perDecision = 32
	// fixedFields is for tags, lengths and numbers of a message, 32 fields of at most 12 bytes, and perDecision.
	fixedFields = 32*12 + perDecision
)

// rankingBound is at least what the message of a ranking takes: tags and lengths, and for
// each item its number, score, propensity, width, mask, slot and features.
func rankingBound(items []record.Shown) int {
	n := 64 + (5+4+4+5+10+1)*len(items)
	for i := range items {
		n += 4 * len(items[i].Features)
	}
	return n
}

func (w *batchWriter) namesSize(d *record.Decision) (n int) {
	if w.names(d) != 0 {
		return 0
	}
	for _, name := range d.FeatureNames {
		n += len(name) + 4
	}
	return n
}

// fits measures only where the bounds leave it open.
func (w *batchWriter) fits(d *record.Decision) bool {
	if headerLen+w.bytes+w.bound(d) <= w.limit {
		return true
	}
	w.bytes = proto.Size(&w.batch)
	return headerLen+w.bytes+w.size(d) <= w.limit
}

// names is the place, plus one, of a decision's feature names in the batch; 0: they are
// not there.
func (w *batchWriter) names(d *record.Decision) uint32 {
	for i, n := range w.batch.Names {
		if slices.Equal(n.Name, d.FeatureNames) {
			return uint32(i + 1)
		}
	}
	return 0
}

func (w *batchWriter) add(d *record.Decision) {
	w.bytes += w.bound(d)
	w.count++
	m := decisionMessage(d)
	if len(d.FeatureNames) > 0 {
		if m.Names = w.names(d); m.Names == 0 {
			w.batch.Names = append(w.batch.Names, &storepb.FeatureNames{Name: d.FeatureNames})
			m.Names = uint32(len(w.batch.Names))
		}
	}
	w.batch.User = append(w.batch.User, d.UserNumber)
	w.batch.Decision = append(w.batch.Decision, m)
}

// finish returns the value of the batch and begins another.
func (w *batchWriter) finish() ([]byte, error) {
	v, err := encode(valueOther, &w.batch)
	w.batch.Reset()
	w.bytes, w.count = 0, 0
	return v, err
}

func decisionMessage(d *record.Decision) *storepb.Decision {
	return &storepb.Decision{
		Id: d.ID, TimeNs: d.Time.UnixNano(), Surface: d.Surface, Context: d.Context,
		Policy: d.Policy, Generation: d.Generation, Seed: d.Seed, Tier: d.Tier,
		ProfileEpoch: d.Profile.Epoch, ProfileSeq: d.Profile.Seq, Candidates: d.Candidates,
		Items: ranking(d.Items), Losers: ranking(d.Losers),
		Kind: uint32(d.Kind), Experiment: d.Assignment.Experiment, Variant: d.Assignment.Variant, Assignment: uint32(d.Assignment.Kind),
		Filter: d.Filter, Limit: d.Limit, Seen: seenNumber(d.Seen), Diversity: d.Diversity, Exclude: d.Exclude,
		ClockNs: clockNumber(d.Clock, d.Time), AsOf: d.AsOf, Applied: d.Applied, Degraded: uint32(d.Degraded),
		Offset: d.Offset, First: d.First, Ranked: d.Ranked, Again: d.Again,
	}
}

// seenNames are the seen policies by the number that stands for them.
var seenNames = []string{"", record.SeenKeep, record.SeenHidePurchased, record.SeenHideInteracted}

func seenNumber(name string) uint32 { return uint32(max(0, slices.Index(seenNames, name))) }

func seenName(number uint32) string {
	if int64(number) < int64(len(seenNames)) {
		return seenNames[number]
	}
	return ""
}

// clockNumber leaves out a clock that is the time itself.
func clockNumber(clock, at time.Time) int64 {
	if clock.IsZero() || clock.Equal(at) {
		return 0
	}
	return clock.UnixNano()
}

func fromClockNumber(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// fromBatch returns decision i of a batch; of one that repeats another all but what it showed, see repeats.
func fromBatch(b *storepb.DecisionBatch, i int) (record.Decision, error) {
	m := b.Decision[i]
	if len(b.User) != len(b.Decision) || int64(m.Names) > int64(len(b.Names)) {
		return record.Decision{}, fmt.Errorf("store: a batch of %d decisions has %d users and %d lists of names, decision %d names list %d: %w",
			len(b.Decision), len(b.User), len(b.Names), i, m.Names, record.ErrCorrupt)
	}
	items, err := fromRanking(m.Items)
	if err != nil {
		return record.Decision{}, err
	}
	losers, err := fromRanking(m.Losers)
	if err != nil {
		return record.Decision{}, err
	}
	d := record.Decision{
		ID: m.Id, Time: time.Unix(0, m.TimeNs).UTC(), UserNumber: b.User[i], Surface: m.Surface, Context: m.Context,
		Policy: m.Policy, Generation: m.Generation, Seed: m.Seed, Tier: m.Tier,
		Profile: record.Token{Epoch: m.ProfileEpoch, Seq: m.ProfileSeq}, Candidates: m.Candidates,
		Items: items, Losers: losers,
		Kind: record.DecisionKind(m.Kind), Filter: m.Filter, Limit: m.Limit, Seen: seenName(m.Seen), Diversity: m.Diversity,
		Assignment: record.Assignment{Experiment: m.Experiment, Variant: m.Variant, Kind: record.AssignmentKind(m.Assignment)},
		Exclude:    m.Exclude, AsOf: m.AsOf, Applied: m.Applied, Degraded: uint8(m.Degraded), Offset: m.Offset, First: m.First,
		Ranked: m.Ranked,
	}
	d.Clock = fromClockNumber(m.ClockNs)
	if m.Names > 0 {
		d.FeatureNames = b.Names[m.Names-1].Name
	}
	return d, nil
}
