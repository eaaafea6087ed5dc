package shop

import (
	"bytes"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/server/record"
)

// counting is a shop that counts and does nothing else.
func counting(t *testing.T) *Shop {
	t.Helper()
	s := &Shop{config: Config{MaxItems: 1000}.withDefaults()}
	var err error
	if s.counters, err = newCounters(s.config); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConversionIsCountedOfEachKindOfAct(t *testing.T) {
	s := counting(t)
	at := time.UnixMicro(1e15)
	for _, kind := range []string{
		record.TypeImpression, record.TypeImpression, record.TypeImpression, record.TypeView, record.TypeClick,
		record.TypePurchase, record.TypeAddToCart, record.TypeLike, record.TypeHide, "wish",
	} {
		s.countConversion(&record.Stored{Event: record.Event{Type: kind, Time: at}, ItemNumber: 7})
	}
	want := conversion.Counts{conversion.Shown: 3, conversion.Clicked: 1, conversion.Opened: 2, conversion.Bought: 1}
	if got := s.counters.conversion.Counts(7, at.UnixMicro()); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	if n := len(s.counters.popular.Top()); n != 0 {
		t.Errorf("%d items became popular by what only conversion counts", n)
	}
}

func TestCountersComeBackFromTheirCheckpoint(t *testing.T) {
	s := counting(t)
	for i := range uint32(300) {
		s.countConversion(&record.Stored{Event: record.Event{Type: record.TypeImpression, Time: time.UnixMicro(int64(i) * 1e9)}, ItemNumber: i % 90})
		if err := s.counters.popular.Add(i%50, 1, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := s.counters.appendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loadCounters(saved, s.config)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loaded.appendBinary(nil)
	if err != nil || !bytes.Equal(again, saved) {
		t.Errorf("what was loaded is saved otherwise: %v", err)
	}
	for cut := 0; cut < len(saved); cut += 97 {
		if _, err := loadCounters(saved[:cut], s.config); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for all", cut, len(saved))
		}
	}
}
