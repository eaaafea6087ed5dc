package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/internal/pause"
)

// Uploaded says what an upload did.
type Uploaded struct {
	Items, Events        int64 // new to the service
	ItemsTime, EventTime time.Duration
	// WriteToken reflects all of it when given to Recommend.
	WriteToken string
}

const uploadBatch = 500

// Upload sends a shop to a service: the catalog by ImportItems, then the events, in order, by StreamEvents. It is for an
// empty tenant, but may be repeated: what is known counts once. A row that the service rejects is an error.
func Upload(ctx context.Context, conn grpc.ClientConnInterface, shop *Shop) (Uploaded, error) {
	var up Uploaded
	start := time.Now()
	reply, err := uploadItems(ctx, kindredv1.NewCatalogServiceClient(conn), shop.Items)
	if err != nil {
		return up, err
	}
	up.Items, up.WriteToken, up.ItemsTime = reply.GetCounts().GetAdded(), reply.GetWriteToken(), time.Since(start)
	start = time.Now()
	if err := uploadEvents(ctx, kindredv1.NewEventServiceClient(conn), shop.Events, &up); err != nil {
		return up, err
	}
	up.EventTime = time.Since(start)
	return up, nil
}

func uploadItems(ctx context.Context, client kindredv1.CatalogServiceClient, items []*kindredv1.Item) (*kindredv1.ImportItemsResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.ImportItems(ctx)
	if err != nil {
		return nil, fmt.Errorf("demo: uploading the catalog: %w", err)
	}
	// A failed Send says no more than that the stream ended; the reason comes with the reply.
	sent := stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{
		Mode: kindredv1.ImportMode_IMPORT_MODE_MERGE, ImportId: "demo",
	}}})
	for batch := range slices.Chunk(items, uploadBatch) {
		if sent == nil {
			sent = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: batch}}})
		}
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fmt.Errorf("demo: uploading the catalog: %w", err)
	}
	return reply, firstRowError("item", reply.GetErrors())
}

func uploadEvents(ctx context.Context, client kindredv1.EventServiceClient, events []*kindredv1.Event, up *Uploaded) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.StreamEvents(ctx)
	if err != nil {
		return fmt.Errorf("demo: uploading the events: %w", err)
	}
	for batch := range slices.Chunk(events, uploadBatch) {
		reply, err := exchange(ctx, stream, batch)
		if err != nil {
			return fmt.Errorf("demo: uploading the events: %w", err)
		}
		if err := firstRowError("event", reply.GetErrors()); err != nil {
			return err
		}
		up.Events += reply.GetAdded()
		up.WriteToken = reply.GetWriteToken()
	}
	if err := stream.CloseSend(); err != nil {
		return fmt.Errorf("demo: uploading the events: %w", err)
	}
	return nil
}

// exchange sends a batch until it is taken. A service that is busy says when to come back.
func exchange(ctx context.Context, stream kindredv1.EventService_StreamEventsClient, batch []*kindredv1.Event) (*kindredv1.StreamEventsResponse, error) {
	for {
		// When Send fails, Recv has the reason.
		_ = stream.Send(&kindredv1.StreamEventsRequest{Events: batch})
		reply, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if reply.GetRetryAfterMs() == 0 {
			return reply, nil
		}
		if err := pause.For(ctx, time.Duration(reply.GetRetryAfterMs())*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func firstRowError(kind string, errors []*kindredv1.RowError) error {
	if len(errors) == 0 {
		return nil
	}
	e := errors[0]
	return fmt.Errorf("demo: the service rejects %d %ss, the first is %s: %s %s", len(errors), kind, e.GetId(), e.GetField(), e.GetDescription())
}

// serving asks the service to build what serves from all that was uploaded, and says what it is in a few words. A service
// that leaves the asking to another role serves nevertheless.
func serving(ctx context.Context, conn grpc.ClientConnInterface) (string, error) {
	admin := kindredv1.NewAdminServiceClient(conn)
	if _, err := admin.RefreshGeneration(ctx, &kindredv1.RefreshGenerationRequest{}); err != nil && !notForUs(err) {
		return "", fmt.Errorf("demo: building what serves: %w", err)
	}
	reply, err := admin.GetTenant(ctx, &kindredv1.GetTenantRequest{})
	if notForUs(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("demo: asking what serves: %w", err)
	}
	s := reply.GetStatus()
	encoder, _, _ := strings.Cut(s.GetEncoder(), "@") // without the hash of its weights
	return fmt.Sprintf("text encoder %s (%d dimensions), index %s", encoder, s.GetVectorDimension(), s.GetIndexEngine()), nil
}

func notForUs(err error) bool {
	c := status.Code(err)
	return c == codes.PermissionDenied || c == codes.Unimplemented
}
