package service

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/telemetry"
)

// stageTimes reads the stages that a reply tells.
func stageTimes(reply any) (times telemetry.StageTimes, ok bool) {
	t, ok := api.StageTimes(reply)
	if !ok {
		return times, false
	}
	for stage, us := range [...]int64{
		telemetry.Wait: t.Wait, telemetry.Profile: t.Profile, telemetry.Encode: t.Encode,
		telemetry.Retrieve: t.Retrieve, telemetry.Rank: t.Rank, telemetry.Log: t.Log,
	} {
		times[stage] = time.Duration(us) * time.Microsecond
	}
	return times, true
}

// beginTracing begins to trace, where a collector is named, and to count stages.
func (s *Service) beginTracing(ctx context.Context) error {
	if s.config.Trace.Addr != "" {
		var err error
		if s.tracing, err = telemetry.StartTracing(ctx, s.config.Trace); err != nil {
			return err
		}
	}
	s.metrics.Stages(stageTimes, s.tracing.Tracer())
	return nil
}

// traced is the option of a server whose calls are traced, if they are.
func (s *Service) traced() []grpc.ServerOption {
	if s.tracing == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(s.tracing.Handler())}
}
