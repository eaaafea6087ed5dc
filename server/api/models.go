package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

type modelService struct {
	kindredv1.UnimplementedModelServiceServer
	*Server
}

const (
	maxPromotions = 1000
	maxModelWait  = 10 * time.Minute
	uploadChunk   = 4 << 20
	downloadChunk = 256 << 10
)

func (s *modelService) ListModels(ctx context.Context, req *kindredv1.ListModelsRequest) (*kindredv1.ListModelsResponse, error) {
	if req.Promotions < 0 || req.Promotions > maxPromotions {
		return nil, invalid(violation{"promotions", fmt.Sprintf("is %d: give 1 to %d, or 0 for 10", req.Promotions, maxPromotions)})
	}
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	n := int(req.Promotions)
	if n == 0 {
		n = 10
	}
	st, err := sh.Models(n)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.ListModelsResponse{
		ServingHash: string(st.Serving), PromotedHash: string(st.Promoted), Fault: printable(st.Fault),
		Training: s.trainingToWire(p.Tenant),
	}
	for i := range st.Models {
		resp.Models = append(resp.Models, modelToWire(&st.Models[i]))
	}
	for i := range st.Promotions {
		resp.Promotions = append(resp.Promotions, promotionToWire(&st.Promotions[i]))
	}
	return resp, nil
}

func (s *modelService) GetModel(ctx context.Context, req *kindredv1.GetModelRequest) (*kindredv1.GetModelResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	m, err := sh.Model(req.Hash)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetModelResponse{Model: modelToWire(&m)}, nil
}

func (s *modelService) UploadModel(stream kindredv1.ModelService_UploadModelServer) error {
	ctx := stream.Context()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	m, removed, err := sh.ReceiveModel(ctx, &chunks{stream: stream})
	if err != nil {
		return s.uploadStatus(ctx, err)
	}
	resp := &kindredv1.UploadModelResponse{Model: modelToWire(&m)}
	for _, h := range removed {
		resp.RemovedHashes = append(resp.RemovedHashes, string(h))
	}
	return stream.SendAndClose(resp)
}

// chunks reads the bytes of an upload.
type chunks struct {
	stream kindredv1.ModelService_UploadModelServer
	left   []byte
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		msg, err := c.stream.Recv()
		if err != nil {
			return 0, err
		}
		if len(msg.Chunk) > uploadChunk {
			return 0, invalid(violation{"chunk", fmt.Sprintf("has %d bytes, at most %d are taken: send smaller ones", len(msg.Chunk), uploadChunk)})
		}
		c.left = msg.Chunk
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (s *modelService) DownloadModel(req *kindredv1.DownloadModelRequest, stream kindredv1.ModelService_DownloadModelServer) error {
	ctx := stream.Context()
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	if err := sh.StreamModel(req.Hash, sender{stream}); err != nil {
		return s.statusOf(ctx, err)
	}
	return nil
}

// sender sends bytes as they come, in messages of at most downloadChunk.
type sender struct {
	stream kindredv1.ModelService_DownloadModelServer
}

// Write implements io.Writer. The bytes are on the way when it returns.
func (s sender) Write(p []byte) (n int, err error) {
	for n < len(p) {
		end := min(len(p), n+downloadChunk)
		if err := s.stream.Send(&kindredv1.DownloadModelResponse{Chunk: p[n:end]}); err != nil {
			return n, err
		}
		n = end
	}
	return n, nil
}

func (s *modelService) EvaluateModel(ctx context.Context, req *kindredv1.EvaluateModelRequest) (*kindredv1.EvaluateModelResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	q := evaluationFromWire(req.Settings)
	q.Hash = req.Hash
	c, err := sh.Evaluate(ctx, &q)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.EvaluateModelResponse{Comparison: comparisonToWire(c)}, nil
}

func evaluationFromWire(w *kindredv1.EvaluationSettings) shop.EvaluationQuery {
	return shop.EvaluationQuery{Cases: int(w.GetCases()), Seed: w.GetSeed()}
}

func (s *modelService) PromoteModel(ctx context.Context, req *kindredv1.PromoteModelRequest) (*kindredv1.PromoteModelResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	thresholds, faults := thresholdsFromWire(req.Thresholds)
	wait, waitFaults := modelWait(req.MaxWait)
	faults = append(append(faults, waitFaults...), noteFaults(req.Note)...)
	if len(faults) > 0 {
		return nil, invalid(faults...)
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := sh.Promote(ctx, &shop.PromoteQuery{
		Hash: req.Hash, Thresholds: thresholds, Evaluation: evaluationFromWire(req.Settings), Force: req.Force,
		By: p.KeyID, Note: req.Note, Wait: wait,
	})
	if err != nil {
		return nil, s.promotionStatus(ctx, err)
	}
	return &kindredv1.PromoteModelResponse{
		Promotion: promotionToWire(&reply.Promotion), Comparison: comparisonToWire(reply.Comparison),
		Serving: reply.Serving, Generation: reply.Generation,
	}, nil
}

func (s *modelService) RollbackModel(ctx context.Context, req *kindredv1.RollbackModelRequest) (*kindredv1.RollbackModelResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	wait, faults := modelWait(req.MaxWait)
	if faults = append(faults, noteFaults(req.Note)...); len(faults) > 0 {
		return nil, invalid(faults...)
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := sh.Rollback(ctx, &shop.RollbackQuery{By: p.KeyID, Note: req.Note, Wait: wait})
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.RollbackModelResponse{
		Promotion: promotionToWire(&reply.Promotion), Serving: reply.Serving, Generation: reply.Generation,
	}, nil
}

func noteFaults(note string) []violation {
	if len(note) > record.MaxNote {
		return []violation{{"note", fmt.Sprintf("has %d bytes, at most %d are taken: shorten it", len(note), record.MaxNote)}}
	}
	return nil
}

func modelWait(d *durationpb.Duration) (time.Duration, []violation) {
	if d == nil {
		return 0, nil
	}
	wait := d.AsDuration()
	if d.CheckValid() != nil || wait < 0 || wait > maxModelWait {
		return 0, []violation{{"max_wait", fmt.Sprintf("is %s: give 0 to %s", wait, maxModelWait)}}
	}
	return wait, nil
}

// promotionStatus adds to a refusal which thresholds do not hold.
func (s *modelService) promotionStatus(ctx context.Context, err error) error {
	var failed *shop.ThresholdError
	if !errors.As(err, &failed) {
		return s.statusOf(ctx, err)
	}
	detail := &errdetails.PreconditionFailure{}
	for _, c := range failed.Checks {
		if c.Failed {
			detail.Violations = append(detail.Violations, &errdetails.PreconditionFailure_Violation{
				Type: "threshold", Subject: c.Name, Description: fmt.Sprintf("measured %g, bound %g", c.Measured, c.Bound),
			})
		}
	}
	return detailed(codes.FailedPrecondition, err.Error(), detail)
}

// uploadStatus is statusOf for what the caller sent: damage is in what came.
func (s *modelService) uploadStatus(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return invalid(violation{"chunk", "the stream is empty: send the archive"})
	}
	if fault := bundleFault(err); fault {
		return invalid(violation{"chunk", printable(err.Error())})
	}
	return s.statusOf(ctx, err)
}
