package shop

import (
	"math"
	"time"
)

// stages times the parts of a start, as words for the log.
type stages struct {
	at    time.Time
	words []any
}

func newStages() *stages { return &stages{at: time.Now()} }

// done ends a part, in seconds.
func (s *stages) done(name string) {
	now := time.Now()
	s.words = append(s.words, name+"_s", math.Round(now.Sub(s.at).Seconds()*1000)/1000)
	s.at = now
}
