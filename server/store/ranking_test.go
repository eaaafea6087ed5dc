package store

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func TestRankingsComeBackAsTheyWere(t *testing.T) {
	wide := make([]float32, 70)
	wide[0], wide[69] = 1, 2
	last := make([]float32, 64)
	last[63] = -1
	negativeZero := float32(math.Copysign(0, -1))
	cases := map[string][]record.Shown{
		"nothing":           nil,
		"without features":  {{Item: 1, Score: 2, Propensity: 1}},
		"sparse":            {{Item: 1, Propensity: 1, Features: []float32{0, 3, 0}}, {Item: 2, Propensity: 1, Features: []float32{0, 0, 0}}},
		"the last of 64":    {{Item: 1, Propensity: 1, Features: last}},
		"more than 64":      {{Item: 1, Propensity: 1, Features: wide}, {Item: 2, Propensity: 1, Features: []float32{0, 1}}},
		"left to chance":    {{Item: 1, Propensity: 0.25, Slot: record.SlotExplored}, {Item: 2, Propensity: 1}},
		"of various widths": {{Item: 1, Propensity: 1, Features: []float32{1}}, {Item: 2, Propensity: 1}, {Item: 3, Propensity: 1, Features: []float32{negativeZero, 5}}},
	}
	for name, want := range cases {
		raw, err := proto.Marshal(ranking(want))
		if err != nil {
			t.Fatal(err)
		}
		var m storepb.Ranking
		if err := proto.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		got, err := fromRanking(&m)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestRankingsWhoseColumnsDoNotFitAreCorrupt(t *testing.T) {
	for name, m := range map[string]*storepb.Ranking{
		"a score is missing":            {Item: []uint32{1}, Width: []uint32{0}},
		"a mask is missing":             {Item: []uint32{1, 2}, Score: []float32{1, 1}, Width: []uint32{1, 1}, Present: []uint64{1}, Features: []float32{1}},
		"a propensity is missing":       {Item: []uint32{1, 2}, Score: []float32{1, 1}, Width: []uint32{0, 0}, Propensity: []float32{1}},
		"a mask beyond the width":       {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{1}, Present: []uint64{2}, Features: []float32{1}},
		"a feature is missing":          {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{2}, Present: []uint64{3}, Features: []float32{1}},
		"a width that no mask can name": {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{1 << 30}, Present: []uint64{1}, Features: []float32{1}},
		"a slot is missing":             {Item: []uint32{1, 2}, Score: []float32{1, 1}, Width: []uint32{0, 0}, Slots: []byte{1}},
		"a width without features":      {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{math.MaxUint32}},
	} {
		if _, err := fromRanking(m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestRankingsOfEarlierBuildsAreRead writes what a build with masks of 32 bits wrote.
func TestRankingsOfEarlierBuildsAreRead(t *testing.T) {
	var raw []byte
	packed := func(field protowire.Number, add func(b []byte) []byte) {
		raw = protowire.AppendTag(raw, field, protowire.BytesType)
		raw = protowire.AppendBytes(raw, add(nil))
	}
	numbers := func(list ...uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			for _, n := range list {
				b = protowire.AppendVarint(b, uint64(n))
			}
			return b
		}
	}
	reals := func(list ...float32) func([]byte) []byte {
		return func(b []byte) []byte {
			for _, x := range list {
				b = protowire.AppendFixed32(b, math.Float32bits(x))
			}
			return b
		}
	}
	packed(1, numbers(1, 300))
	packed(2, reals(2, -1))
	packed(4, numbers(32, 13))
	packed(5, reals(5, 6, 7))
	packed(6, numbers(1<<31|1, 1<<12))
	var m storepb.Ranking
	if err := proto.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	got, err := fromRanking(&m)
	first, second := make([]float32, 32), make([]float32, 13)
	first[0], first[31], second[12] = 5, 6, 7
	want := []record.Shown{
		{Item: 1, Score: 2, Propensity: 1, Features: first}, {Item: 300, Score: -1, Propensity: 1, Features: second},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestZeroFeaturesCostNextToNothing bounds what the features that are 0 add to a row.
func TestZeroFeaturesCostNextToNothing(t *testing.T) {
	size := func(features int) int {
		items := make([]record.Shown, 10)
		for i := range items {
			items[i] = record.Shown{Item: uint32(i), Score: 1, Propensity: 1, Features: make([]float32, features)}
			for f := range 8 {
				items[i].Features[f] = 1.5
			}
		}
		return proto.Size(ranking(items))
	}
	if small, large := size(8), size(60); large > small {
		t.Errorf("10 items take %d bytes with 8 features, %d with 52 more that are 0", small, large)
	}
}
