package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/store"
)

// DefaultVerifyRate is how many bytes a second a verification reads where the caller does
// not say.
const DefaultVerifyRate = 32 << 20

// Bounds of VerifyRequest.bytes_per_second.
const (
	minVerifyRate = 1 << 20
	maxVerifyRate = 10 << 30
)

// Verify implements OperationsService. The store is read by a goroutine of its own, so that
// a caller who does not read holds up a message and not a snapshot.
func (s *operationsService) Verify(req *kindredv1.VerifyRequest, stream grpc.ServerStreamingServer[kindredv1.VerifyResponse]) error {
	if err := s.allowed(stream.Context()); err != nil {
		return err
	}
	if r := req.BytesPerSecond; r != 0 && (r < minVerifyRate || r > maxVerifyRate) {
		return invalid(violation{"bytes_per_second", fmt.Sprintf("is %d: give %d to %d, or 0 for %d", r, minVerifyRate, maxVerifyRate, DefaultVerifyRate)})
	}
	ctx, cancel := context.WithCancel(stream.Context())
	var rows, bytes atomic.Int64
	var found *store.Verification
	var fault error
	done := make(chan struct{})
	go func() {
		defer close(done)
		found, fault = s.Verifier(ctx, req.BytesPerSecond, func(r, b int64) { rows.Store(r); bytes.Store(b) })
	}()
	defer func() { cancel(); <-done }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if fault != nil {
				return s.statusOf(ctx, fault)
			}
			return stream.Send(&kindredv1.VerifyResponse{Part: &kindredv1.VerifyResponse_Result{Result: verificationToWire(found)}})
		case <-tick.C:
			p := &kindredv1.VerifyProgress{Rows: rows.Load(), Bytes: bytes.Load()}
			if err := stream.Send(&kindredv1.VerifyResponse{Part: &kindredv1.VerifyResponse_Progress{Progress: p}}); err != nil {
				return err
			}
		}
	}
}

func verificationToWire(v *store.Verification) *kindredv1.VerifyResult {
	m := &kindredv1.VerifyResult{Schema: v.Schema, Tables: int32(v.Tables)}
	for _, n := range v.Counts {
		m.Counts = append(m.Counts, &kindredv1.VerifyCount{Kind: n.Kind, Rows: n.Rows, Bytes: n.Bytes, Faults: n.Faults})
	}
	for _, f := range v.Faults {
		m.Faults = append(m.Faults, &kindredv1.VerifyFault{Kind: f.Kind, Key: f.Key, Description: f.What})
	}
	return m
}

// RemoteVerify has a running service verify what it keeps. progress is told of the bytes
// read since it was last called.
func RemoteVerify(ctx context.Context, client kindredv1.OperationsServiceClient, bytesPerSecond int64, progress func(bytes int64)) (*store.Verification, error) {
	stream, err := client.Verify(ctx, &kindredv1.VerifyRequest{BytesPerSecond: bytesPerSecond})
	if err != nil {
		return nil, err
	}
	for before := int64(0); ; {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the verification broke off before its end")
		}
		if err != nil {
			return nil, err
		}
		if p := m.GetProgress(); p != nil {
			progress(p.Bytes - before)
			before = p.Bytes
		}
		if r := m.GetResult(); r != nil {
			return verificationFromWire(r), nil
		}
	}
}

func verificationFromWire(m *kindredv1.VerifyResult) *store.Verification {
	v := &store.Verification{Schema: m.Schema, Tables: int(m.Tables)}
	for _, n := range m.Counts {
		v.Counts = append(v.Counts, store.Count{Kind: n.Kind, Rows: n.Rows, Bytes: n.Bytes, Faults: n.Faults})
	}
	for _, f := range m.Faults {
		v.Faults = append(v.Faults, store.Fault{Kind: f.Kind, Key: f.Key, What: f.Description})
	}
	return v
}
