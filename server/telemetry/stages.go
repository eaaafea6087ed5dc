package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Stage is a part of answering a request.
type Stage int

const (
	Wait     Stage = iota // for a write that the request is to reflect
	Profile               // reading what is known of the user
	Encode                // the text of a search
	Retrieve              // finding candidates
	Rank                  // scoring and arranging them
	Log                   // handing the decision over
	StageCount
)

var stageNames = [StageCount]string{"wait", "profile", "encode", "retrieve", "rank", "log"}

// StageTimes are those of one reply. A stage of 0 did not run, or took less than a
// microsecond.
type StageTimes [StageCount]time.Duration

// stages observes what replies tell of their stages.
type stages struct {
	read    func(reply any) (StageTimes, bool)
	seconds [StageCount]prometheus.Observer
	tracer  trace.Tracer // nil: nothing is traced
}

// Stages has kindred_stage_seconds count the stages that a function reads from replies; it
// reports false for replies that tell none. With a tracer, traced calls get a span for
// each stage, laid end to end from the begin of the call: their lengths are measured,
// their places are not. Call it before the server serves.
func (m *Metrics) Stages(read func(reply any) (StageTimes, bool), tracer trace.Tracer) {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kindred_stage_seconds", Help: "Time of a stage of a reply; stages that did not run are not counted.",
		Buckets: []float64{.00001, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 2.5},
	}, []string{"stage"})
	m.Registry.MustRegister(vec)
	s := &stages{read: read, tracer: tracer}
	for i := range s.seconds {
		s.seconds[i] = vec.WithLabelValues(stageNames[i])
	}
	m.stages = s
}

// observe counts the stages of a reply. A nil s counts none.
func (s *stages) observe(ctx context.Context, begin time.Time, reply any) {
	if s == nil {
		return
	}
	times, ok := s.read(reply)
	if !ok {
		return
	}
	for i, d := range times {
		if d > 0 {
			s.seconds[i].Observe(d.Seconds())
		}
	}
	if s.tracer != nil && trace.SpanFromContext(ctx).IsRecording() {
		s.spans(ctx, begin, &times)
	}
}

func (s *stages) spans(ctx context.Context, at time.Time, times *StageTimes) {
	for i, d := range times {
		if d == 0 {
			continue
		}
		_, span := s.tracer.Start(ctx, stageNames[i], trace.WithTimestamp(at))
		at = at.Add(d)
		span.End(trace.WithTimestamp(at))
	}
}
