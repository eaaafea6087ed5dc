package main

import (
	"bytes"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestExposureIsATable(t *testing.T) {
	var b bytes.Buffer
	err := printExposure(&b, "seller", "p-1", &kindredv1.GetExposureResponse{
		Lists: 2, Places: 8, Omitted: "lists after noon",
		Rows:     []*kindredv1.Exposure{{Name: "Nib & Co", Shown: 6, Clicked: 2, Purchased: 1, SlotMean: 1.5}, {Name: "Green", Shown: 2, SlotMean: 4}},
		Verdicts: []*kindredv1.VerdictCount{{Text: "out of stock", Requests: 9}, {Text: "shown", Requests: 1}},
	})
	want := `2 lists, 8 places
not read: lists after noon
SELLER    SHOWN  SHARE   CLICKED  PURCHASED  MEAN SLOT
Nib & Co  6      75.00%  2        1          1.5
Green     2      25.00%  0        0          4.0
p-1 on 10 requests, ranked anew:
  9: out of stock
  1: shown
`
	if err != nil || b.String() != want {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, &b, want)
	}
}

func TestTrialIsTold(t *testing.T) {
	trial := &kindredv1.PolicyTrial{
		Logged: 60, Requests: 20, ChangedShare: 0.5, DisplacedMean: 1.25, MovedMean: 0.5, Skipped: map[string]int32{"its policy was deleted": 2},
		Base: &kindredv1.TrialSide{NewShare: 0.1, CategoriesMean: 2, Items: 9}, Tried: &kindredv1.TrialSide{NewShare: 0.2, CategoriesMean: 3, Items: 12},
		Sellers: []*kindredv1.ExposureShift{{Name: "Nib & Co", Base: 4, Tried: 9}},
		Effect:  &kindredv1.TrialEffect{Refusal: "too few"},
	}
	var b bytes.Buffer
	err := printTrial(&b, trial)
	want := `20 of 60 logged requests ranked anew
  2 left out: its policy was deleted
lists that change: 50.0%; items displaced: 1.25 a list; slots moved: 0.50 an item
                       NOW    TRIED
places with new items  10.0%  20.0%
categories a list      2.00   3.00
different items        9      12
seller Nib & Co        4      9
effect on clicks: not estimated: too few
`
	if err != nil || b.String() != want {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, &b, want)
	}
	trial.Effect = &kindredv1.TrialEffect{Lists: 300, Shared: 100, EffectiveSample: 90, LoggedClicks: 0.25, TriedClicks: 0.5, StandardError: 0.0125}
	b.Reset()
	if err := printTrial(&b, trial); err != nil || !bytes.Contains(b.Bytes(), []byte(
		"effect on clicks: 0.5000 a list as estimated (standard error 0.0125), 0.2500 as logged; 100 of 300 lists shared, worth 90\n")) {
		t.Errorf("%v: %s", err, &b)
	}
}
