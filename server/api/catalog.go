package api

import (
	"context"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

type catalogService struct {
	kindredv1.UnimplementedCatalogServiceServer
	*Server
}

// write sends the good rows of a batch to the shop, or only asks what it would say.
func (s *Server) write(ctx context.Context, sh *shop.Shop, b *batch, dry bool) (*kindredv1.RowCounts, int64, string, error) {
	var (
		outcomes []record.Outcome
		token    record.Token
		err      error
	)
	switch {
	case len(b.good) == 0:
	case dry:
		outcomes, err = sh.DryRun(ctx, b.good)
	default:
		outcomes, token, err = sh.Write(ctx, b.good)
	}
	if err != nil {
		return nil, 0, "", s.statusOf(ctx, err)
	}
	counts, unjoined := b.answer(outcomes)
	return counts, unjoined, sh.FormatToken(token), nil
}

// writeWait bounds how long a write waits to be seen by all: one that waits longer
// stands behind a large import, and is on disk.
const writeWait = 2 * time.Second

// writeThrough is write for changes that take effect at once: it answers when the next
// reply reflects them.
func (s *Server) writeThrough(ctx context.Context, sh *shop.Shop, b *batch) (*kindredv1.RowCounts, string, error) {
	counts, _, token, err := s.write(ctx, sh, b, false)
	if err != nil || token == "" {
		return counts, token, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	_ = sh.Reach(ctx, sh.Head()) // the write landed, whatever becomes of the wait
	return counts, token, nil
}

func (s *catalogService) UpsertItems(ctx context.Context, req *kindredv1.UpsertItemsRequest) (*kindredv1.UpsertItemsResponse, error) {
	if err := s.Bounds.sized("items", len(req.Items)); err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	b := s.itemBatch(req.Items, 0)
	counts, _, token, err := s.write(ctx, sh, b, req.DryRun)
	if err != nil {
		return nil, err
	}
	if err := b.malformed(len(req.Items)); err != nil {
		return nil, err
	}
	return &kindredv1.UpsertItemsResponse{Counts: counts, Errors: b.errors, WriteToken: token}, nil
}

func (s *Server) itemBatch(items []*kindredv1.Item, base int64) *batch {
	b := newBatch("items", len(items), base)
	for i, w := range items {
		it, faults := itemFromWire(w)
		b.add(i, w.GetId(), record.Mutation{Item: it}, beside(faults, s.Bounds.item(it)))
	}
	return b
}

func (s *catalogService) PatchItems(ctx context.Context, req *kindredv1.PatchItemsRequest) (*kindredv1.PatchItemsResponse, error) {
	if err := s.Bounds.sized("patches", len(req.Patches)); err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	b := newBatch("patches", len(req.Patches), 0)
	for i, w := range req.Patches {
		p, faults := patchFromWire(w)
		b.add(i, w.GetId(), record.Mutation{Patch: p}, faults)
	}
	counts, token, err := s.writeThrough(ctx, sh, b)
	if err != nil {
		return nil, err
	}
	if err := b.malformed(len(req.Patches)); err != nil {
		return nil, err
	}
	return &kindredv1.PatchItemsResponse{Counts: counts, Errors: b.errors, WriteToken: token}, nil
}

func (s *catalogService) DeleteItems(ctx context.Context, req *kindredv1.DeleteItemsRequest) (*kindredv1.DeleteItemsResponse, error) {
	if err := s.Bounds.sized("ids", len(req.Ids)); err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	b := newBatch("ids", len(req.Ids), 0)
	for i, id := range req.Ids {
		b.add(i, id, record.Mutation{Delete: &record.Delete{ID: id}}, idFaults(id))
	}
	counts, token, err := s.writeThrough(ctx, sh, b)
	if err != nil {
		return nil, err
	}
	if err := b.malformed(len(req.Ids)); err != nil {
		return nil, err
	}
	return &kindredv1.DeleteItemsResponse{Counts: counts, Errors: b.errors, WriteToken: token}, nil
}

func (s *catalogService) GetItem(ctx context.Context, req *kindredv1.GetItemRequest) (*kindredv1.GetItemResponse, error) {
	if req.Id == "" {
		return nil, invalid(violation{"id", "is missing: give the id of an item"})
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	state, err := sh.Item(req.Id)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetItemResponse{
		Item: itemToWire(&state.Item), Encoded: state.Encoded, UnservableReason: state.Unservable,
	}, nil
}

const defaultPage = 100

func (s *catalogService) ListItems(ctx context.Context, req *kindredv1.ListItemsRequest) (*kindredv1.ListItemsResponse, error) {
	size, err := s.Bounds.pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	after, err := cursorFromWire(req.PageToken)
	if err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	items, next, err := sh.Items(ctx, after, size, req.Filter)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.ListItemsResponse{NextPageToken: cursorToWire(next), CatalogItems: sh.CatalogItems()}
	for i := range items {
		resp.Items = append(resp.Items, itemToWire(&items[i]))
	}
	return resp, nil
}
