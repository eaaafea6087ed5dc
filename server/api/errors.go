package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// retryAfter is what an overloaded service asks its callers to wait.
const retryAfter = 100 * time.Millisecond

// statusOf returns the status of a domain error. Every sentinel of server/record and
// server/shop has its line here; what has none is our fault, and its text stays
// in our log.
func (s *Server) statusOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	var input *shop.InputError
	switch {
	case errors.As(err, &input):
		return invalid(violation{input.Field, input.Description})
	case errors.Is(err, shop.ErrPageToken):
		return invalid(violation{"page_token", err.Error()})
	case errors.Is(err, record.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, record.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, record.ErrExists), errors.Is(err, record.ErrConflict):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, record.ErrExpired), errors.Is(err, shop.ErrUnfit), errors.Is(err, shop.ErrPrecondition):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, record.ErrLimit):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, record.ErrOverloaded), errors.Is(err, shop.ErrOverloaded):
		return overloaded(err)
	case errors.Is(err, record.ErrDiskFull), errors.Is(err, record.ErrClosed),
		errors.Is(err, record.ErrHeld), errors.Is(err, record.ErrNewer), errors.Is(err, shop.ErrNotReady):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, bundle.ErrNotFound):
		return status.Error(codes.NotFound, "the model is not kept any more")
	case errors.Is(err, bundle.ErrInvalid):
		return status.Error(codes.InvalidArgument, printable(err.Error()))
	case errors.Is(err, bundle.ErrNewer):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, bundle.ErrLimit):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, bundle.ErrDiskFull):
		s.Log.ErrorContext(ctx, "bundle not kept", "error", err)
		return status.Error(codes.Unavailable, "no space is left on the service's disk; nothing of the model was kept")
	case errors.Is(err, bundle.ErrDamaged):
		s.Log.ErrorContext(ctx, "damaged bundle", "error", err)
		return status.Error(codes.DataLoss, printable(err.Error()))
	case errors.Is(err, record.ErrCorrupt):
		s.Log.ErrorContext(ctx, "corrupt value", "error", err)
		return status.Error(codes.DataLoss, "a stored value is damaged; the service's log says which")
	case errors.Is(err, record.ErrStopped): // the cause names files; the store has logged it
		return status.Error(codes.Unavailable, record.ErrStopped.Error())
	case errors.Is(err, record.ErrUnreadable):
		return status.Error(codes.Unavailable, record.ErrUnreadable.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller went away")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the caller's deadline passed")
	}
	s.Log.ErrorContext(ctx, "internal error", "error", err)
	return status.Error(codes.Internal, "internal error; the service's log has the cause")
}

// violation is one fault of one field.
type violation struct{ field, description string }

// invalid is INVALID_ARGUMENT with its field violations; the first stands in the
// message too, for people who read only that.
func invalid(faults ...violation) error {
	detail := &errdetails.BadRequest{}
	for _, f := range faults {
		detail.FieldViolations = append(detail.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: f.field, Description: f.description})
	}
	message := "invalid request"
	if len(faults) > 0 {
		message = faults[0].field + ": " + faults[0].description
	}
	return detailed(codes.InvalidArgument, message, detail)
}

func overloaded(err error) error {
	return detailed(codes.ResourceExhausted, err.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
}

func detailed(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st.Err()
}

// preconditionFailed says what must be changed before the same call can work.
func preconditionFailed(kind, subject, why string) error {
	return detailed(codes.FailedPrecondition, why, &errdetails.PreconditionFailure{
		Violations: []*errdetails.PreconditionFailure_Violation{{Type: kind, Subject: subject, Description: why}},
	})
}
