package shop

import "testing"

func TestAShopOfOneKindOfActHasStrengthOne(t *testing.T) {
	for _, weight := range []float32{0.5, 1, 4} {
		var s strength
		if got := s.of(weight); got != 1 {
			t.Errorf("weight %v before any act: strength %v, want 1", weight, got)
		}
		for range 100 {
			s.add(weight)
		}
		if got := s.of(weight); got != 1 {
			t.Errorf("weight %v: strength %v, want 1", weight, got)
		}
	}
}

func TestStrengthIsRelativeToTheAverageAct(t *testing.T) {
	var s strength
	for range 3 {
		s.add(1)
	}
	s.add(5) // the average is 2
	if view, purchase := s.of(1), s.of(5); view != 0.5 || purchase != 2.5 {
		t.Errorf("strengths %v and %v, want 0.5 and 2.5", view, purchase)
	}
	var restored strength
	restored.restore(s.sum, s.acts)
	if restored.of(5) != s.of(5) {
		t.Errorf("after a restore %v, want %v", restored.of(5), s.of(5))
	}
}
