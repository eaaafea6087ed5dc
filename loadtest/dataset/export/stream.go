package export

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// errEnough is what a consumer returns that wants no more.
var errEnough = errors.New("enough")

const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// takeUp runs an attempt at a stream until it ends well, or fails for good, or has brought nothing new for too long. An
// attempt says whether it brought anything.
func takeUp(ctx context.Context, patience time.Duration, attempt func() (progress bool, err error)) error {
	since, pause := time.Now(), firstPause
	for {
		progress, err := attempt()
		if code := status.Code(err); code != codes.Unavailable && code != codes.ResourceExhausted {
			return err
		}
		if progress {
			since, pause = time.Now(), firstPause
		}
		if time.Since(since)+pause > patience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// eachEvent calls fn with the events of the log, in its order, up to its head when the stream began.
func eachEvent(ctx context.Context, conn grpc.ClientConnInterface, patience time.Duration, fn func(*kindredv1.Event) error) error {
	admin, token := kindredv1.NewAdminServiceClient(conn), ""
	return takeUp(ctx, patience, func() (progress bool, err error) {
		ctx, cancel := context.WithCancel(ctx) // ends the stream if fn does
		defer cancel()
		stream, err := admin.ExportEvents(ctx, &kindredv1.ExportEventsRequest{AfterWriteToken: token})
		if err != nil {
			return false, err
		}
		for {
			page, err := stream.Recv()
			if err == io.EOF {
				return progress, nil
			}
			if err != nil {
				return progress, err
			}
			for _, e := range page.GetEvents() {
				if err := fn(e); err != nil {
					return progress, err
				}
			}
			token, progress = page.GetWriteToken(), true
		}
	})
}

// eachDecision calls fn with the decisions of a time, in its order.
func eachDecision(ctx context.Context, conn grpc.ClientConnInterface, o Options, fn func(*kindredv1.Decision) error) error {
	admin := kindredv1.NewAdminServiceClient(conn)
	request := &kindredv1.ExportDecisionsRequest{FromTime: stamp(o.From), UntilTime: stamp(o.Until)}
	latest := map[string]struct{}{} // those of the time from which a broken stream goes on
	return takeUp(ctx, o.RetryFor, func() (progress bool, err error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := admin.ExportDecisions(ctx, request)
		if err != nil {
			return false, err
		}
		for {
			page, err := stream.Recv()
			if err == io.EOF {
				return progress, nil
			}
			if err != nil {
				return progress, err
			}
			for _, d := range page.GetDecisions() {
				if _, came := latest[d.GetRecommendationId()]; came {
					continue
				}
				if err := fn(d); err != nil {
					return progress, err
				}
				if at := d.GetTime(); request.FromTime == nil || at.AsTime().After(request.FromTime.AsTime()) {
					request.FromTime = at
					clear(latest)
				}
				latest[d.GetRecommendationId()] = struct{}{}
				progress = true
			}
		}
	})
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
