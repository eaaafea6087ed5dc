package ranker

import (
	"testing"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

func TestRareLabelsInCommonWeighMoreThanFrequentOnes(t *testing.T) {
	table := must(catalog.New(catalog.Limits{}))
	for item, row := range []catalog.Item{
		{ID: "asked", Tags: []string{"cordless", "sale"}, Brand: "Acme"},
		{ID: "rare", Tags: []string{"cordless"}},
		{ID: "frequent", Tags: []string{"sale"}},
		{ID: "both", Tags: []string{"sale", "cordless"}, Brand: "Acme"},
		{ID: "other", Tags: []string{"wooden"}, Brand: "Other"},
		{ID: "filler", Tags: []string{"sale"}},
		{ID: "bare"},
	} {
		_ = must(0, table.Put(uint32(item), row))
	}
	p := must(New(World{Catalog: table}))
	for range 2 { // the second request must find no trace of the first
		res := recommend(t, p, Request{Context: []uint32{0}, Limit: 10})
		got := map[uint32]float32{}
		for _, x := range res.Items {
			got[x.Item] = x.Features[LabelSimilarity]
		}
		if !(got[3] > 0.999 && got[3] < 1.001 && got[1] > got[2] && got[2] > 0 && got[4] == 0 && got[6] == 0) {
			t.Errorf("label similarities %v, want 3 at 1, 1 above 2 above 0, none for 4 and 6", got)
		}
	}
}
