package shop

import (
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/static"
)

func TestEncodingConfigNamesWhatCannotWork(t *testing.T) {
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := (EncodingConfig{Bridge: table}).withDefaults().validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, c := range map[string]EncodingConfig{
		`Bridge is "nowhere", which is slow`: {Bridge: nowhere{}},
		"Share is -0.1":                      {Share: -.1},
		"Back 0.005: give":                   {Back: .005},
		"Back 1.5: give":                     {Back: 1.5},
		"Batch is 5000":                      {Batch: 5000},
		"Lanes -1: give":                     {Lanes: -1},
		"Pause is -1ns":                      {Pause: -1},
		"MaxPause 1ns: give":                 {MaxPause: 1},
	} {
		if err := c.withDefaults().validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", c, err, want)
		}
	}
}
