package shop

import (
	"fmt"
	"time"
)

// SetRankingAge changes Config.RankingAge of all tenants, those that are made later too.
// Errors are those of the Config.
func (r *Registry) SetRankingAge(age time.Duration) error {
	if age > maxRankingAge {
		return fmt.Errorf("the ranking age is %s: give at most %s, or less than 0 to rank each request", age, maxRankingAge)
	}
	if age == 0 {
		age = -1 // the zero Config means its default
	}
	r.creating.Lock()
	defer r.creating.Unlock()
	r.config.RankingAge = age
	r.Each(func(_ string, s *Shop) { s.rankAge.Store(int64(age)) })
	return nil
}
