package training

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/embed/train/history"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// Tenant is a tenant of a running service: a Source, and where a bundle goes.
type Tenant struct {
	admin   kindredv1.AdminServiceClient
	catalog kindredv1.CatalogServiceClient
	models  kindredv1.ModelServiceClient
	types   []record.EventType
	about   *kindredv1.GetTenantResponse
	serving bundle.Hash
}

// Connect asks a service for the caller's tenant. The key, of role scientist or admin, is
// the connection's, or stands in the context of all calls.
func Connect(ctx context.Context, conn grpc.ClientConnInterface) (*Tenant, error) {
	t := &Tenant{
		admin: kindredv1.NewAdminServiceClient(conn), catalog: kindredv1.NewCatalogServiceClient(conn), models: kindredv1.NewModelServiceClient(conn),
	}
	var err error
	if t.about, err = t.admin.GetTenant(ctx, &kindredv1.GetTenantRequest{}); err != nil {
		return nil, fmt.Errorf("asking the service for its tenant: %w", err)
	}
	kept, err := t.models.ListModels(ctx, &kindredv1.ListModelsRequest{Promotions: 1})
	if err != nil {
		return nil, fmt.Errorf("asking the service for its models: %w", err)
	}
	t.serving = bundle.Hash(kept.ServingHash)
	var declared []record.EventType
	for _, e := range t.about.Tenant.EventTypes {
		declared = append(declared, record.EventType{Name: e.Name, Weight: e.Weight, NeedsItem: e.NeedsItem})
	}
	t.types = shop.EventTypes(declared)
	return t, nil
}

// Name is the tenant's.
func (t *Tenant) Name() string { return t.about.Tenant.Name }

// Serving is the bundle that serves; empty: none does.
func (t *Tenant) Serving() bundle.Hash { return t.serving }

// Fits refuses an encoder that is not the service's: what it made could not serve. The
// error wraps [ErrEncoder].
func (t *Tenant) Fits(info embed.Info) error {
	has := t.about.Status.GetEncoding().GetEncoder()
	if has == "" {
		has = t.about.Status.GetEncoder()
	}
	if has != info.Model {
		return fmt.Errorf("%w: the service encodes texts with %q, this is %q: name the same one with --encoder", ErrEncoder, has, info.Model)
	}
	return nil
}

// Types implements Source.
func (t *Tenant) Types() []record.EventType { return t.types }

// Acts implements Source.
func (t *Tenant) Acts(ctx context.Context, limit int64) iter.Seq2[history.Act, error] {
	return func(yield func(history.Act, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := t.admin.ExportEvents(ctx, &kindredv1.ExportEventsRequest{Limit: limit})
		for err == nil {
			var page *kindredv1.ExportEventsResponse
			if page, err = stream.Recv(); err != nil {
				break
			}
			for i, e := range page.Events {
				act := actOf(e)
				if i == len(page.Events)-1 {
					act.Seq = uint64(page.LogSequence)
				}
				if !yield(act, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(history.Act{}, err)
		}
	}
}

func actOf(e *kindredv1.Event) history.Act {
	act := history.Act{
		ID: e.Id, User: person(e.UserId, e.SessionId), Item: e.ItemId, Type: typeName(e), Synthetic: e.SyntheticTime,
		Value: e.GetValue(), HasValue: e.Value != nil, Text: e.Text,
	}
	if e.Time != nil {
		act.Time = e.Time.AsTime()
	}
	return act
}

// typeName is the name of an event's type.
func typeName(e *kindredv1.Event) string {
	if e.Type == kindredv1.EventType_EVENT_TYPE_UNSPECIFIED {
		return e.CustomType
	}
	return strings.ToLower(strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_"))
}

// catalogPage keeps a reply with the longest items below maxReply.
const catalogPage = 200

// maxReply bounds a reply of the service, in bytes.
const maxReply = 64 << 20

// Items implements Source.
func (t *Tenant) Items(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for token := ""; ; {
			page, err := t.catalog.ListItems(ctx, &kindredv1.ListItemsRequest{PageSize: catalogPage, PageToken: token}, grpc.MaxCallRecvMsgSize(maxReply))
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, it := range page.Items {
				text := itemtext.Fields{Title: it.Title, Brand: it.Brand, Categories: it.Categories, Tags: it.Tags, Description: it.Description}.Text()
				if !yield(Item{ID: it.Id, Text: text, Vector: it.Vector}, nil) {
					return
				}
			}
			if token = page.NextPageToken; token == "" {
				return
			}
		}
	}
}

// Upload has the service keep a bundle, and returns the older ones that were removed for it.
func (t *Tenant) Upload(ctx context.Context, b *bundle.Bundle) (removed []string, err error) {
	stream, err := t.models.UploadModel(ctx)
	if err != nil {
		return nil, fmt.Errorf("sending the model: %w", err)
	}
	out := bufio.NewWriterSize(chunks{stream}, 1<<20)
	if err := errors.Join(b.Stream(out), out.Flush()); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("sending the model: %w", err) // EOF: what the service has against it comes with the answer
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fmt.Errorf("sending the model: %w", err)
	}
	return reply.RemovedHashes, nil
}

// chunks sends bytes in messages.
type chunks struct {
	stream kindredv1.ModelService_UploadModelClient
}

// Write implements io.Writer.
func (c chunks) Write(p []byte) (n int, err error) {
	for n < len(p) {
		end := min(len(p), n+1<<20)
		if err := c.stream.Send(&kindredv1.UploadModelRequest{Chunk: p[n:end]}); err != nil {
			return n, err
		}
		n = end
	}
	return n, nil
}

// Verdict is what became of a promotion.
type Verdict struct {
	Promoted bool
	Serving  bool   // it serves already
	Refused  string // why it was not promoted: a threshold that does not hold, or what stands in the way
	// Generation is what serves; Comparison what was measured, nil if nothing was.
	Generation string
	Comparison *kindredv1.ModelComparison
}

// promoteWait is how long a promotion is waited for.
const promoteWait = time.Minute

// promoteTries is how often a promotion is tried while another comparison is under way.
const promoteTries = 5

// Promote has a model serve, if the thresholds of the service hold. A refusal is a verdict
// and no error.
func (t *Tenant) Promote(ctx context.Context, h bundle.Hash, note string) (Verdict, error) {
	ask := &kindredv1.PromoteModelRequest{Hash: string(h), Note: note, MaxWait: durationpb.New(promoteWait)}
	for try := 1; ; try++ {
		reply, err := t.models.PromoteModel(ctx, ask)
		switch code := status.Code(err); {
		case err == nil:
			return Verdict{Promoted: true, Serving: reply.Serving, Generation: reply.Generation, Comparison: reply.Comparison}, nil
		case code == codes.FailedPrecondition:
			return Verdict{Refused: status.Convert(err).Message()}, nil
		case code != codes.ResourceExhausted || try == promoteTries:
			return Verdict{}, fmt.Errorf("promoting the model: %w", err)
		}
		if err := pause.For(ctx, time.Duration(try)*time.Second); err != nil {
			return Verdict{}, err
		}
	}
}
