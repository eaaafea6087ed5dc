package replay

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

const (
	defaultRetention = 400 * 24 * time.Hour
	longRetention    = 100 * 365 * 24 * time.Hour // the longest that the contract allows
)

// SuitTenant lets the tenant's clock follow the log and keeps events for 100 years, if the tenant has no events yet and the
// log begins before what it keeps. changed says whether it did. It needs a key of role admin; without one it changes nothing
// and is no error, and a log that is too old is refused when its first events are written.
func SuitTenant(ctx context.Context, conn grpc.ClientConnInterface, source dataset.Source) (changed bool, err error) {
	oldest, err := firstTime(source)
	if err != nil {
		return false, err
	}
	admin := kindredv1.NewAdminServiceClient(conn)
	reply, err := admin.GetTenant(ctx, &kindredv1.GetTenantRequest{})
	if notAllowed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("replay: show the tenant: %w", err)
	}
	retention := defaultRetention
	if d := reply.GetTenant().GetRetention(); d != nil {
		retention = d.AsDuration()
	}
	if reply.GetStatus().GetEvents() > 0 || oldest.IsZero() || time.Since(oldest) < retention {
		return false, nil
	}
	_, err = admin.UpdateTenant(ctx, &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Clock: kindredv1.Clock_CLOCK_LOG, Retention: durationpb.New(longRetention)}})
	if notAllowed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("replay: let the tenant keep events as old as %s: %w", oldest.Format(time.DateOnly), err)
	}
	return true, nil
}

func notAllowed(err error) bool {
	code := status.Code(err)
	return code == codes.PermissionDenied || code == codes.Unimplemented
}

// firstTime is the oldest time of the log's first thousand events; zero: they have none.
func firstTime(source dataset.Source) (time.Time, error) {
	var oldest time.Time
	n := 0
	for e, err := range source.Events() {
		if err != nil {
			return oldest, fmt.Errorf("replay: %w: %w", ErrLog, err)
		}
		if !e.Time.IsZero() && (oldest.IsZero() || e.Time.Before(oldest)) {
			oldest = e.Time
		}
		if n++; n == 1000 {
			break
		}
	}
	return oldest, nil
}

// checkedItems is how many items of a log are looked up.
const checkedItems = 200

// CheckItems looks up to 200 different items of the log up in the catalog, evenly spread over the first events of each, and
// gives an ErrMissingItems that says what to do if one is not there.
func CheckItems(ctx context.Context, conn grpc.ClientConnInterface, source dataset.Source) error {
	ids, err := itemsOf(source)
	if err != nil {
		return err
	}
	catalog := kindredv1.NewCatalogServiceClient(conn)
	checked, missing, example := 0, 0, ""
	for i := 0; i < len(ids); i += max(1, len(ids)/checkedItems) {
		checked++
		_, err := catalog.GetItem(ctx, &kindredv1.GetItemRequest{Id: ids[i]})
		switch {
		case status.Code(err) == codes.NotFound:
			missing++
			example = ids[i]
		case notAllowed(err):
			return nil // a key for the frontend may not read the catalog
		case err != nil:
			return fmt.Errorf("replay: look item %q up: %w", ids[i], err)
		}
	}
	if missing > 0 {
		return fmt.Errorf("replay: %w: %d of %d looked up, such as %q; add --import-items, or import the catalog first with: go run ./server import --items-only, or go on without them with --allow-missing",
			ErrMissingItems, missing, checked, example)
	}
	return nil
}

// itemsOf lists the different items of a log in the order in which they appear.
func itemsOf(source dataset.Source) ([]string, error) {
	var ids []string
	seen := map[string]bool{}
	for e, err := range source.Events() {
		if err != nil {
			return nil, fmt.Errorf("replay: %w: %w", ErrLog, err)
		}
		if e.Item != "" && !seen[e.Item] {
			seen[e.Item] = true
			ids = append(ids, e.Item)
		}
	}
	return ids, nil
}
