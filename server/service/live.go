package service

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// Live are the settings that change while a service runs.
type Live struct {
	// RankingAge is shop.Config's.
	RankingAge time.Duration
	// TraceShare is telemetry.TraceConfig's; without a collector it says nothing.
	TraceShare float64
	// Quotas and Origins are those of Config.
	Quotas  quota.Settings
	Origins []string
	// Training takes the place of Config.Training; nil: it goes on as it is. A child that
	// trains is ended, and what it did is kept where it left checkpoints.
	Training *schedule.Config
}

// Change applies settings. Call it from one goroutine, and not with or after Stop. An
// error names what did not change.
func (s *Service) Change(live Live) error {
	if err := s.tenants.SetRankingAge(live.RankingAge); err != nil {
		return err
	}
	s.tracing.SetShare(live.TraceShare)
	s.quotas.Change(withBrowser(live.Quotas))
	s.origins.Store(&live.Origins)
	if live.Training == nil {
		return nil
	}
	s.trains.Load().Stop()
	s.trains.Store(nil)
	dir := s.config.Training.Dir
	s.config.Training = *live.Training
	s.config.Training.Dir, s.config.Training.Log = dir, s.config.Log
	if err := s.beginTraining(); err != nil {
		return fmt.Errorf("the schedule of training, which is off now: %w", err)
	}
	return nil
}

// withBrowser gives keys of role browser their default where they have none.
func withBrowser(q quota.Settings) quota.Settings {
	if q.Browser == (record.Quota{}) {
		q.Browser = DefaultBrowserQuota
	}
	return q
}

// liveOrigins are the web origins that may call now.
func (s *Service) liveOrigins() []string {
	if changed := s.origins.Load(); changed != nil {
		return *changed
	}
	return s.config.Origins
}
