package training

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
)

// logged is a decision as the service exports it, of two items.
func logged() *kindredv1.Decision {
	d := &kindredv1.Decision{
		RecommendationId: "r", Time: timestamppb.New(time.Unix(100, 0)), ClockTime: timestamppb.New(time.Unix(50, 0)),
		Kind: kindredv1.DecisionKind_DECISION_KIND_PAGE, Offset: 10,
		Items: []*kindredv1.ShownItem{{ItemId: "a", Propensity: 1}, {ItemId: "b", Propensity: 0.25}},
	}
	for f := range ranker.FeatureCount {
		d.FeatureNames = append(d.FeatureNames, f.String())
		for k, x := range d.Items {
			x.Features = append(x.Features, float32(100*k+int(f)))
		}
	}
	return d
}

func TestADecisionOfTheWireIsReadByTheNamesOfItsFeatures(t *testing.T) {
	d := logged()
	slices.Reverse(d.FeatureNames)
	for _, x := range d.Items {
		slices.Reverse(x.Features)
	}
	var names columnNames
	got, ok := names.decision(d)
	if !ok || got.ID != "r" || !got.Time.Equal(time.Unix(50, 0)) || len(got.Items) != 2 {
		t.Fatalf("%v, %+v", ok, got)
	}
	for k, x := range got.Items {
		if x.Slot != 11+k || x.Item != string(rune('a'+k)) || x.Features[ranker.Trend] != float32(100*k+int(ranker.Trend)) {
			t.Errorf("item %d: %+v", k, x)
		}
	}
	if got.Items[1].Propensity != 0.25 {
		t.Errorf("propensity %v", got.Items[1].Propensity)
	}
}

func TestDecisionsThatCannotBeLearnedFromAreLeftOut(t *testing.T) {
	none := map[string]bool{"similar items": true, "bulk": true} // no recommendations: not even counted
	for what, edit := range map[string]func(*kindredv1.Decision){
		"similar items":   func(d *kindredv1.Decision) { d.Kind = kindredv1.DecisionKind_DECISION_KIND_SIMILAR },
		"bulk":            func(d *kindredv1.Decision) { d.Kind = kindredv1.DecisionKind_DECISION_KIND_BULK },
		"another release": func(d *kindredv1.Decision) { d.FeatureNames[3] = "charm" },
		"an older one": func(d *kindredv1.Decision) {
			d.FeatureNames = d.FeatureNames[1:]
			for _, x := range d.Items {
				x.Features = x.Features[1:]
			}
		},
		"short rows": func(d *kindredv1.Decision) { d.Items[1].Features = d.Items[1].Features[1:] },
	} {
		var names columnNames
		if x, ok := names.decision(logged()); !ok || len(x.Items) != 2 {
			t.Fatal("a whole one is left out")
		}
		d := logged()
		edit(d)
		if x, ok := names.decision(d); ok == none[what] || len(x.Items) > 0 {
			t.Errorf("%s: it is read: %v, %+v", what, ok, x)
		}
		if x, ok := names.decision(logged()); !ok || len(x.Items) != 2 {
			t.Errorf("%s: what comes after it is left out", what)
		}
	}
}
