package service_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// importItems runs one import in batches of four.
func (c *client) importItems(options *kindredv1.ImportOptions, items ...*kindredv1.Item) (*kindredv1.ImportItemsResponse, error) {
	c.t.Helper()
	stream, err := c.ImportItems(ctx(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	send := func(m *kindredv1.ImportItemsRequest) { _ = stream.Send(m) } // the reply has the reason
	send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: options}})
	for len(items) > 0 {
		n := min(4, len(items))
		send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: items[:n]}}})
		items = items[n:]
	}
	return stream.CloseAndRecv()
}

const (
	merge   = kindredv1.ImportMode_IMPORT_MODE_MERGE
	replace = kindredv1.ImportMode_IMPORT_MODE_REPLACE
)

func counts(added, changed, unchanged, removed, rejected int64) string {
	return fmt.Sprint(&kindredv1.RowCounts{Added: added, Changed: changed, Unchanged: unchanged, Removed: removed, Rejected: rejected})
}

func TestImportMergesAndSaysWhatChanged(t *testing.T) {
	s := start(t)
	reply, err := s.importItems(&kindredv1.ImportOptions{ImportId: "first"}, shelf()...)
	if err != nil || fmt.Sprint(reply.Counts) != counts(12, 0, 0, 0, 0) || reply.CatalogItems != 12 || reply.ImportId != "first" {
		t.Fatalf("%v %v", reply, err)
	}
	changed := shelf()
	changed[0].Title = "Gel pen, red"
	bad := item("bad", "Pen", "A")
	bad.Stock = proto.Int64(-1)
	reply, err = s.importItems(&kindredv1.ImportOptions{Mode: merge}, append(changed[:5:5], bad, item("new", "Stapler", "Office"))...)
	if err != nil || fmt.Sprint(reply.Counts) != counts(1, 1, 4, 0, 1) || reply.CatalogItems != 13 || reply.ImportId == "" {
		t.Errorf("%v %v", reply, err)
	}
	if len(reply.Errors) != 1 || reply.Errors[0].Row != 5 || reply.Errors[0].Id != "bad" || reply.Errors[0].Field != "items[1].stock" {
		t.Errorf("errors %v, want row 5 of the stream", reply.Errors)
	}
}

func TestReplaceRemovesTheRestOnceConfirmed(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item("just-now", "Pen", "A")}})
	_, err := s.importItems(&kindredv1.ImportOptions{Mode: replace}, shelf()[:6]...)
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "7 of 13")
	bad := item("", "Pen", "A")
	_, err = s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(1)}, append(shelf()[:6], bad)...)
	code(t, err, codes.FailedPrecondition)
	if n := must(s.ListItems(ctx(t), &kindredv1.ListItemsRequest{})).CatalogItems; n != 13 {
		t.Errorf("a refused replacement left %d items of 13", n)
	}
	reply, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(0.6)}, shelf()[:6]...)
	if err != nil || fmt.Sprint(reply.Counts) != counts(0, 0, 6, 7, 0) || reply.CatalogItems != 6 {
		t.Errorf("%v %v", reply, err)
	}
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 50}); len(list.Items) != 6 {
		t.Errorf("after the replacement: %v", ids(list.Items))
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	s := start(t)
	before := s.upsert(shelf()...)
	fresh := item("new", "Stapler", "Office")
	fresh.Attributes = map[string]*kindredv1.Value{"size": {Kind: &kindredv1.Value_StringValue{StringValue: "S"}}}
	clash := item("clash", "Stapler", "Office")
	clash.Attributes = map[string]*kindredv1.Value{"size": {Kind: &kindredv1.Value_NumberValue{NumberValue: 3}}}
	up := must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{DryRun: true, Items: []*kindredv1.Item{shelf()[0], fresh, clash}}))
	if fmt.Sprint(up.Counts) != counts(1, 0, 1, 0, 1) || up.WriteToken != "" || len(up.Errors) != 1 || up.Errors[0].Id != "clash" {
		t.Errorf("dry upsert: %v", up)
	}
	reply, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, DryRun: true, ConfirmDropShare: proto.Float64(1)}, append(shelf()[:3], fresh)...)
	if err != nil || fmt.Sprint(reply.Counts) != counts(1, 0, 3, 9, 0) || reply.CatalogItems != 12 || reply.WriteToken != "" {
		t.Errorf("dry import: %v %v", reply, err)
	}
	got := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{}))
	if got.Status.Items != 12 || len(got.Tenant.Attributes) != 0 {
		t.Errorf("a dry run left %v", got)
	}
	if list := s.recommend(&kindredv1.RecommendRequest{MinWriteToken: before}); list.Info.Lag != 0 {
		t.Errorf("lag %d", list.Info.Lag)
	}
	_, err = s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "new"})
	code(t, err, codes.NotFound)
}

func TestImportEndsAtItsBoundOfErrors(t *testing.T) {
	s := start(t)
	items := shelf()
	for i := 1; i < len(items); i += 2 {
		items[i].Id = ""
	}
	_, err := s.importItems(&kindredv1.ImportOptions{MaxErrors: 3}, items...)
	contains(t, refused(t, err, "items"), "max_errors is 3")
	if n := must(s.ListItems(ctx(t), &kindredv1.ListItemsRequest{})).Items; len(n) != 4 {
		t.Errorf("%d rows stay, want the good ones of two batches", len(n))
	}
	_, err = s.importItems(&kindredv1.ImportOptions{MaxErrors: -1})
	refused(t, err, "options.max_errors")
	_, err = s.importItems(&kindredv1.ImportOptions{Mode: 9})
	refused(t, err, "options.mode")
	_, err = s.importItems(&kindredv1.ImportOptions{ConfirmDropShare: proto.Float64(2)})
	refused(t, err, "options.confirm_drop_share")
	stream, err := s.ImportItems(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.CloseAndRecv()
	refused(t, err, "options")
}
