package store

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func TestRankingsComeBackAsTheyWere(t *testing.T) {
	wide := make([]float32, 40)
	wide[0], wide[39] = 1, 2
	last := make([]float32, 32)
	last[31] = -1
	negativeZero := float32(math.Copysign(0, -1))
	cases := map[string][]record.Shown{
		"nothing":           nil,
		"without features":  {{Item: 1, Score: 2, Propensity: 1}},
		"sparse":            {{Item: 1, Propensity: 1, Features: []float32{0, 3, 0}}, {Item: 2, Propensity: 1, Features: []float32{0, 0, 0}}},
		"the last of 32":    {{Item: 1, Propensity: 1, Features: last}},
		"more than 32":      {{Item: 1, Propensity: 1, Features: wide}, {Item: 2, Propensity: 1, Features: []float32{0, 1}}},
		"left to chance":    {{Item: 1, Propensity: 0.25}, {Item: 2, Propensity: 1}},
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
		"a mask is missing":             {Item: []uint32{1, 2}, Score: []float32{1, 1}, Width: []uint32{1, 1}, Present: []uint32{1}, Features: []float32{1}},
		"a propensity is missing":       {Item: []uint32{1, 2}, Score: []float32{1, 1}, Width: []uint32{0, 0}, Propensity: []float32{1}},
		"a mask beyond the width":       {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{1}, Present: []uint32{2}, Features: []float32{1}},
		"a feature is missing":          {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{2}, Present: []uint32{3}, Features: []float32{1}},
		"a width that no mask can name": {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{1 << 30}, Present: []uint32{1}, Features: []float32{1}},
		"a width without features":      {Item: []uint32{1}, Score: []float32{1}, Width: []uint32{math.MaxUint32}},
	} {
		if _, err := fromRanking(m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
