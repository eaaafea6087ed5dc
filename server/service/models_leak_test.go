package service_test

import (
	"fmt"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// TestAComparisonIsNotToldTheAnswers has people whose last item was taken by nobody else
// after what they had: only counts that hold their own answer could name it first.
func TestAComparisonIsNotToldTheAnswers(t *testing.T) {
	s := start(t, withModels(nil))
	const pairs = 40
	var items []*kindredv1.Item
	var events []*kindredv1.Event
	for i := range pairs {
		from, to := fmt.Sprint("from-", i), fmt.Sprint("to-", i)
		items = append(items, item(from, fmt.Sprintf("Left %c%c", 'a'+i%26, 'a'+i/26), "Left"), item(to, fmt.Sprintf("Right %c%c", 'z'-i%26, 'z'-i/26), "Right"))
		who := fmt.Sprint("user-", i)
		events = append(events, view(fmt.Sprint("a", i), who, from), view(fmt.Sprint("b", i), who, to))
	}
	s.upsert(items...)
	s.applied(s.write(events...).WriteToken)
	hash := s.uploaded(testModel{Size: 8})
	c := must(s.models.EvaluateModel(ctx(t), &kindredv1.EvaluateModelRequest{Hash: hash})).Comparison
	if c.Cases != pairs {
		t.Fatalf("%d cases, want %d", c.Cases, pairs)
	}
	// By chance a list of 10 of 79 items has the answer in an eighth of the cases.
	if c.Serving.HitRateAt_10 > 0.5 {
		t.Errorf("what serves finds %.2f of answers that nothing but themselves points at", c.Serving.HitRateAt_10)
	}
}
