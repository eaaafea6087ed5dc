package rerank

import "testing"

func TestZeroPolicyOrdersByScore(t *testing.T) {
	var e Engine
	var out List
	e.Rerank(&Input{Candidates: []Candidate{{Item: 3, Score: 1}, {Item: 1, Score: 2}, {Item: 2, Score: 2}}, Policy: &Policy{}, Limit: 5}, &out)
	want := []uint32{1, 2, 3}
	for i, s := range out.Slots {
		if s.Item != want[i] || s.Propensity != 1 || s.Fill != ByRank || s.Rule != -1 {
			t.Errorf("slot %d: %+v, want item %d", i+1, s, want[i])
		}
	}
	if len(out.Slots) != 3 {
		t.Errorf("%d slots, want 3", len(out.Slots))
	}
}
