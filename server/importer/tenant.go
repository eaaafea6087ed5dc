package importer

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

const (
	// defaultRetention is what a tenant has that says nothing.
	defaultRetention = 400 * 24 * time.Hour
	// longRetention is the longest that the wire contract allows.
	longRetention = 100 * 365 * 24 * time.Hour
	// sampledEvents are looked at for the age of a log.
	sampledEvents = 1000
)

// suitOldLog fits a tenant without events to a log that it would refuse as too old; see "Old logs" in the package comment.
func (t *transfer) suitOldLog(ctx context.Context) error {
	if t.opts.KeepSettings || t.opts.DryRun || t.opts.ItemsOnly {
		return nil
	}
	reply, err := t.admin.GetTenant(ctx, &kindredv1.GetTenantRequest{})
	switch status.Code(err) {
	case codes.OK:
	case codes.PermissionDenied, codes.Unimplemented:
		return nil // the key is not for settings; rows that are too old will be named
	default:
		return refusal("to show the tenant", err)
	}
	retention := defaultRetention
	if d := reply.GetTenant().GetRetention(); d != nil {
		retention = d.AsDuration()
	}
	if reply.GetStatus().GetEvents() > 0 {
		return nil
	}
	oldest, ok, err := t.oldestSampled()
	if err != nil || !ok || time.Since(oldest.Time) < retention {
		return err
	}
	return t.letClockFollowLog(ctx, oldest)
}

func (t *transfer) letClockFollowLog(ctx context.Context, oldest dataset.Event) error {
	_, err := t.admin.UpdateTenant(ctx, &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Clock:     kindredv1.Clock_CLOCK_LOG,
		Retention: durationpb.New(longRetention),
	}})
	if status.Code(err) == codes.PermissionDenied {
		return nil
	}
	if err != nil {
		return refusal("to keep events as old as these", err)
	}
	why := "the log begins at " + oldest.Time.UTC().Format(time.DateOnly)
	if oldest.Synthetic {
		why = "the log has no times, and its events are numbered from " + oldest.Time.UTC().Format(time.DateOnly)
	}
	t.note("%s: so the tenant's clock now follows the log, and it keeps events for 100 years (--keep-settings leaves both alone)", why)
	return nil
}

// oldestSampled is the oldest among the first events of the log; ok is false if none of them has a time.
func (t *transfer) oldestSampled() (oldest dataset.Event, ok bool, err error) {
	n := 0
	for e, err := range t.source.Events() {
		if _, isRow := rowError(err); err != nil && !isRow {
			return oldest, false, fmt.Errorf("importer: %w", err)
		}
		if err == nil && !e.Time.IsZero() && (!ok || e.Time.Before(oldest.Time)) {
			oldest, ok = e, true
		}
		if n++; n == sampledEvents {
			break
		}
	}
	return oldest, ok, nil
}
