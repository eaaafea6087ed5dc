package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
)

var (
	// ErrUnauthorized: the worker asks for a key, and the client has none or a wrong one.
	ErrUnauthorized = errors.New("remote: worker does not accept the key")

	// ErrModelMismatch: workers serve different models, or another one than expected.
	// Their vectors cannot be compared.
	ErrModelMismatch = errors.New("remote: workers serve different models")

	// ErrRefused: the worker says that the request is not valid. It is a fault of the
	// client or of the worker's limits; a retry does not help. Where the worker names what
	// it was sent it is also an embed.ErrRefused.
	ErrRefused = errors.New("remote: worker refused the request")

	// ErrWorker: the worker failed to encode. Others may do better.
	ErrWorker = errors.New("remote: worker failed")

	// errSmaller: a worker came back with smaller limits than it had when the request was
	// cut. It becomes embed.ErrUnavailable for callers.
	errSmaller = errors.New("remote: worker takes smaller requests than it did")
)

// statusOf returns the status of what a batcher returned. Every error that it documents
// has its line here; what has none is INTERNAL, and its text stays with the worker.
func statusOf(err error) error {
	var full *batch.OverloadError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &full):
		return wire.Detailed(codes.ResourceExhausted, err.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(full.RetryAfter)})
	case errors.Is(err, embed.ErrOverloaded):
		return wire.Detailed(codes.ResourceExhausted, err.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(wire.RetryAfter)})
	case errors.Is(err, batch.ErrOutOfMemory):
		return status.Error(codes.ResourceExhausted, err.Error()) // without RetryInfo: a retry does not help
	case errors.Is(err, batch.ErrTooLarge):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, embed.ErrUnavailable):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the caller's deadline passed")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller went away")
	}
	return status.Error(codes.Internal, "the encoder failed; the worker's log has the cause")
}

// retriable reports whether the same call may work a little later or elsewhere: the
// worker cannot be reached, or says itself when to come back.
func retriable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable:
		return true
	case codes.ResourceExhausted:
		_, ok := wire.RetryHint(err)
		return ok
	}
	return errors.Is(err, ErrModelMismatch) || errors.Is(err, errSmaller) // another worker may do
}

// errorOf returns the error of package embed, or of this one, for what a worker answered.
// A deadline that passed is ours, for one try: the caller's own is looked at before.
func errorOf(addr string, err error) error {
	switch {
	case errors.Is(err, errSmaller):
		return fmt.Errorf("%w: %w", embed.ErrUnavailable, err)
	case errors.Is(err, ErrModelMismatch), errors.Is(err, ErrProtocol):
		return err
	}
	st := status.Convert(err)
	var kind error
	switch st.Code() {
	case codes.OK:
		return nil
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		kind = embed.ErrUnavailable
	case codes.ResourceExhausted:
		if hint, ok := wire.RetryHint(err); ok {
			return fmt.Errorf("remote: worker %s: %w", addr, &OverloadError{RetryAfter: hint})
		}
		kind = ErrWorker
	case codes.Unauthenticated, codes.PermissionDenied:
		kind = ErrUnauthorized
	case codes.InvalidArgument:
		return fmt.Errorf("%w: %w: %s: %s", ErrRefused, embed.ErrRefused, addr, st.Message())
	case codes.Unimplemented:
		return fmt.Errorf("%w: %s serves no EmbeddingService: start one with `server embed`", ErrRefused, addr)
	default:
		kind = ErrWorker
	}
	return fmt.Errorf("%w: %s: %v: %s", kind, addr, st.Code(), st.Message())
}

// ErrorOf returns the error for what a worker answered to a call that [Client] did not
// make. Nil for nil.
func ErrorOf(addr string, err error) error {
	if err == nil {
		return nil
	}
	return errorOf(addr, err)
}

// OverloadError: every worker that was asked has no room. Nothing was encoded of what
// failed. It wraps [embed.ErrOverloaded].
type OverloadError struct {
	// RetryAfter is when the worker expects to have room.
	RetryAfter time.Duration
}

// Error says when to come back.
func (e *OverloadError) Error() string {
	return fmt.Sprintf("%v; try again in %v", embed.ErrOverloaded, e.RetryAfter)
}

// Unwrap returns [embed.ErrOverloaded].
func (e *OverloadError) Unwrap() error { return embed.ErrOverloaded }

// silence says that a stream was cut because the worker did not answer, if that is why.
func silence(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return status.Error(codes.Unavailable, errSilent.Error())
	}
	return err
}
