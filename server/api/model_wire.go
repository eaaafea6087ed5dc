package api

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/bundle/registry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// bundleFault reports whether an error is a fault of a bundle's bytes.
func bundleFault(err error) bool {
	return errors.Is(err, bundle.ErrDamaged) || errors.Is(err, bundle.ErrInvalid) ||
		errors.Is(err, bundle.ErrNewer) || errors.Is(err, bundle.ErrLimit)
}

var modelStates = map[shop.ModelState]kindredv1.ModelState{
	shop.ModelStored:   kindredv1.ModelState_MODEL_STATE_STORED,
	shop.ModelBuilding: kindredv1.ModelState_MODEL_STATE_BUILDING,
	shop.ModelServing:  kindredv1.ModelState_MODEL_STATE_SERVING,
	shop.ModelFailed:   kindredv1.ModelState_MODEL_STATE_FAILED,
}

func modelToWire(m *shop.Model) *kindredv1.Model {
	x := &m.Manifest
	w := &kindredv1.Model{
		Hash: string(m.Hash), State: modelStates[m.State], Fault: printable(m.Fault),
		CreateTime: stampOf(x.Created), Parent: string(x.Parent),
		TextEncoder: x.TextEncoder.Name, TextDimension: int32(x.TextEncoder.Dim), BehaviourDimension: int32(x.BehaviourDim),
		TrainingData: &kindredv1.TrainingData{
			FirstEventTime: stampOf(x.Data.First), LastEventTime: stampOf(x.Data.Last), LogHead: int64(min(x.Data.LogHead, math.MaxInt64)),
			Users: x.Data.Users, Items: x.Data.Items, Events: x.Data.Events, EventsSetAside: x.Data.SetAside,
		},
		TrainingCode: &kindredv1.TrainingCode{
			Module: x.Code.Module, Version: x.Code.Version, Revision: x.Code.Revision, Modified: x.Code.Modified, GoVersion: x.Code.Go,
		},
		SizeBytes: x.Bytes(),
	}
	for _, p := range x.Parameters {
		w.Parameters = append(w.Parameters, &kindredv1.ModelParameter{Name: p.Name, Value: p.Value})
	}
	for _, k := range x.Metrics {
		w.Metrics = append(w.Metrics, &kindredv1.ModelMetric{Name: k.Name, Part: k.Part, Value: k.Value, Seed: k.Seed})
	}
	for _, f := range x.Files {
		w.Files = append(w.Files, &kindredv1.ModelFile{Name: f.Name, SizeBytes: f.Size, Sha256: f.SHA256})
	}
	return w
}

// StoredModels describes the bundles of a tenant that no service has open. None serves;
// the promoted one would.
func StoredModels(entries []registry.Entry, promotions []record.Promoted) *kindredv1.ListModelsResponse {
	reply := &kindredv1.ListModelsResponse{}
	for i := range promotions {
		reply.Promotions = append(reply.Promotions, promotionToWire(&promotions[i]))
	}
	if len(promotions) > 0 {
		reply.PromotedHash = promotions[0].Bundle
	}
	for _, e := range entries {
		m := shop.Model{Hash: e.Hash, Manifest: e.Manifest}
		if e.Err != nil {
			m.Fault = e.Err.Error()
		}
		reply.Models = append(reply.Models, modelToWire(&m))
	}
	return reply
}

func promotionToWire(p *record.Promoted) *kindredv1.ModelPromotion {
	w := &kindredv1.ModelPromotion{
		ModelHash: p.Bundle, PreviousHash: p.Previous, Time: stampOf(p.Time), KeyId: p.By, Note: p.Note,
		Rollback: p.Rollback, Forced: p.Forced, Sequence: int64(p.Seq),
	}
	for _, c := range p.Checks {
		w.Checks = append(w.Checks, &kindredv1.ThresholdCheck{
			Name: c.Name, Measured: c.Measured, Bound: c.Bound, AtMost: c.AtMost, Unmeasured: c.Unmeasured, Failed: c.Failed,
		})
	}
	return w
}

func comparisonToWire(c *shop.Comparison) *kindredv1.ModelComparison {
	if c == nil {
		return nil
	}
	return &kindredv1.ModelComparison{
		CandidateHash: string(c.Candidate), ServingHash: string(c.Serving), Cases: int32(c.Cases), Unseen: c.Unseen,
		OverlapAt_10: c.Overlap, Candidate: figuresToWire(&c.Of), Serving: figuresToWire(&c.Now),
		BuildDuration: durationpb.New(c.BuildTime), CompareDuration: durationpb.New(c.Time),
	}
}

func figuresToWire(f *shop.Figures) *kindredv1.ModelFigures {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return &kindredv1.ModelFigures{
		HitRateAt_10: f.HitRate, NdcgAt_10: f.NDCG, Coverage: f.Coverage,
		LatencyP50Us: us(f.P50), LatencyP99Us: us(f.P99), IndexRecall: f.Recall,
	}
}

// thresholdsFromWire converts thresholds and checks their ranges.
func thresholdsFromWire(w *kindredv1.PromotionThresholds) (shop.Thresholds, []violation) {
	if w == nil {
		return shop.Thresholds{}, nil
	}
	var faults []violation
	in := func(field string, x *float64, most float64) {
		if x != nil && !(*x >= 0 && *x <= most) {
			faults = append(faults, violation{"thresholds." + field, fmt.Sprintf("is %v: give 0 to %g", *x, most)})
		}
	}
	in("min_overlap_at_10", w.MinOverlapAt_10, 1)
	in("min_ndcg_ratio", w.MinNdcgRatio, 1e6)
	in("min_hit_rate_ratio", w.MinHitRateRatio, 1e6)
	in("min_index_recall", w.MinIndexRecall, 1)
	in("max_latency_p99_us", w.MaxLatencyP99Us, 1e9)
	if w.MinCases < 0 || w.MinCases > shop.MaxCases {
		faults = append(faults, violation{"thresholds.min_cases", fmt.Sprintf("is %d: give 1 to %d, or 0 for 50", w.MinCases, shop.MaxCases)})
	}
	t := shop.Thresholds{
		MinOverlap: w.MinOverlapAt_10, MinNDCGRatio: w.MinNdcgRatio, MinHitRateRatio: w.MinHitRateRatio,
		MinRecall: w.MinIndexRecall, MinCases: int(w.MinCases),
	}
	if w.MaxLatencyP99Us != nil && len(faults) == 0 {
		d := time.Duration(*w.MaxLatencyP99Us * 1e3)
		t.MaxP99 = &d
	}
	return t, faults
}
