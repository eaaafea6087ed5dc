package itemtext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextJoinsWhatThereIs(t *testing.T) {
	cases := []struct {
		fields Fields
		want   string
	}{
		{Fields{}, ""},
		{Fields{Title: "Gel pens"}, "Gel pens"},
		{Fields{Description: "Smooth."}, "Smooth."},
		{Fields{Title: "Gel pens", Brand: "Acme", Categories: []string{"Office > Pens", "Gifts"}, Tags: []string{"blue"}, Description: "Smooth."},
			"Gel pens. Acme. Office > Pens Gifts. blue. Smooth."},
	}
	for _, c := range cases {
		if got := c.fields.Text(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestLongDescriptionsAreCutBetweenCharacters(t *testing.T) {
	for shift := range 4 {
		text := strings.Repeat("x", DescriptionBytes-shift) + strings.Repeat("語", 10)
		got := Fields{Description: text}.Text()
		if len(got) > DescriptionBytes || len(got) < DescriptionBytes-3 || !utf8.ValidString(got) || !strings.HasPrefix(text, got) {
			t.Errorf("shift %d: %d bytes, valid %v", shift, len(got), utf8.ValidString(got))
		}
	}
}
