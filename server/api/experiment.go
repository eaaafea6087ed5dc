package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

type experimentService struct {
	kindredv1.UnimplementedExperimentServiceServer
	*Server
}

func (s *experimentService) PutExperiment(ctx context.Context, req *kindredv1.PutExperimentRequest) (*kindredv1.PutExperimentResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.Experiment == nil {
		return nil, invalid(violation{"experiment", "is missing: give the experiment to put"})
	}
	e, faults := experimentFromWire(req.Experiment)
	if err := faulty("experiment", append(faults, e.Validate()...)); err != nil {
		return nil, err
	}
	expected, err := expectation("expected_revision", req.ExpectedRevision)
	if err != nil {
		return nil, err
	}
	e.By = p.KeyID
	made, err := sh.PutExperiment(ctx, e, expected)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.PutExperimentResponse{Experiment: experimentToWire(&made)}, nil
}

func (s *experimentService) GetExperiment(ctx context.Context, req *kindredv1.GetExperimentRequest) (*kindredv1.GetExperimentResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	e, err := sh.Experiment(req.Name)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetExperimentResponse{Experiment: experimentToWire(&e)}, nil
}

func (s *experimentService) ListExperiments(ctx context.Context, _ *kindredv1.ListExperimentsRequest) (*kindredv1.ListExperimentsResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	resp := &kindredv1.ListExperimentsResponse{}
	for _, e := range sh.Experiments() {
		resp.Experiments = append(resp.Experiments, experimentToWire(&e))
	}
	return resp, nil
}

func (s *experimentService) DeleteExperiment(ctx context.Context, req *kindredv1.DeleteExperimentRequest) (*kindredv1.DeleteExperimentResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	expected, err := expectation("expected_revision", req.ExpectedRevision)
	if err != nil {
		return nil, err
	}
	if err := sh.DeleteExperiment(ctx, req.Name, expected); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.DeleteExperimentResponse{}, nil
}

// statusWire and assignmentWire hold the wire value of each domain value; a test visits
// all.
var (
	statusWire = map[record.ExperimentStatus]kindredv1.ExperimentStatus{
		record.ExperimentDraft:   kindredv1.ExperimentStatus_EXPERIMENT_STATUS_DRAFT,
		record.ExperimentRunning: kindredv1.ExperimentStatus_EXPERIMENT_STATUS_RUNNING,
		record.ExperimentStopped: kindredv1.ExperimentStatus_EXPERIMENT_STATUS_STOPPED,
	}
	assignmentWire = map[record.AssignmentKind]kindredv1.AssignmentKind{
		record.AssignedByHash:    kindredv1.AssignmentKind_ASSIGNMENT_KIND_HASH,
		record.AssignedListed:    kindredv1.AssignmentKind_ASSIGNMENT_KIND_LISTED,
		record.AssignedByRequest: kindredv1.AssignmentKind_ASSIGNMENT_KIND_REQUEST,
		record.AssignedAnonymous: kindredv1.AssignmentKind_ASSIGNMENT_KIND_ANONYMOUS,
	}
)

// assignmentToWire is nil for no assignment.
func assignmentToWire(a record.Assignment) *kindredv1.Assignment {
	if a.Kind == 0 {
		return nil
	}
	return &kindredv1.Assignment{Experiment: a.Experiment, Variant: a.Variant, Kind: assignmentWire[a.Kind]}
}

func experimentFromWire(w *kindredv1.Experiment) (record.Experiment, []record.Violation) {
	faults := badTimes(map[string]*timestamppb.Timestamp{"start_time": w.StartTime, "end_time": w.EndTime})
	e := record.Experiment{
		Name: w.Name, Note: w.Note, Salt: w.Salt, Surfaces: w.Surfaces, Layer: w.Layer, LayerFrom: w.LayerFrom, LayerUntil: w.LayerUntil,
		Start: timeOf(w.StartTime), End: timeOf(w.EndTime), Status: record.ExperimentDraft, Excluded: w.ExcludedUserIds,
	}
	if w.Status != kindredv1.ExperimentStatus_EXPERIMENT_STATUS_UNSPECIFIED {
		var ok bool
		if e.Status, ok = keyOf(statusWire, w.Status); !ok {
			e.Status = record.ExperimentDraft
			faults = append(faults, record.Violation{Field: "status", Description: fmt.Sprintf("%d is no status of this version", w.Status)})
		}
	}
	for _, v := range w.Variants {
		e.Variants = append(e.Variants, record.Variant{Name: v.GetName(), Policy: v.GetPolicy(), Share: v.GetShare(), Users: v.GetUserIds()})
	}
	return e, faults
}

func experimentToWire(e *record.Experiment) *kindredv1.Experiment {
	w := &kindredv1.Experiment{
		Name: e.Name, Revision: e.Revision, UpdateTime: stampOf(e.Updated), UpdatedBy: e.By, Note: e.Note, Salt: e.Salt,
		Surfaces: e.Surfaces, Layer: e.Layer, LayerFrom: e.LayerFrom, LayerUntil: e.LayerUntil,
		StartTime: stampOf(e.Start), EndTime: stampOf(e.End), Status: statusWire[e.Status], ExcludedUserIds: e.Excluded,
	}
	for _, v := range e.Variants {
		w.Variants = append(w.Variants, &kindredv1.Variant{Name: v.Name, Policy: v.Policy, Share: v.Share, UserIds: v.Users})
	}
	return w
}
