package service_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// titles is the whole catalog, a line for each item, by id.
func (c *client) titles() []string {
	c.t.Helper()
	var lines []string
	for token := ""; ; {
		page := must(c.ListItems(ctx(c.t), &kindredv1.ListItemsRequest{PageSize: 1000, PageToken: token}))
		for _, it := range page.Items {
			lines = append(lines, it.Id+" "+it.Title)
		}
		if token = page.NextPageToken; token == "" {
			return lines
		}
	}
}

func TestReplacementWithManyRemovalsNeedsTheirNumber(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	before := s.titles()
	_, err := s.importItems(&kindredv1.ImportOptions{Mode: replace}, shelf()[:8]...)
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "4 of 12 items (33%)")
	contains(t, err.Error(), "confirm_removal to 4")
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{RemovalShare: 0.05}}))
	_, err = s.importItems(&kindredv1.ImportOptions{Mode: replace}, shelf()[:11]...)
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "1 of 12 items (8%) would be removed, confirm_drop_share allows 5%")
	_, err = s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmRemoval: proto.Int64(3)}, shelf()[:8]...)
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "4 of 12")
	contains(t, err.Error(), "says 3")
	_, err = s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmRemoval: proto.Int64(-1)})
	refused(t, err, "options.confirm_removal")
	if now := s.titles(); !slices.Equal(before, now) {
		t.Errorf("refused replacements left %v", now)
	}
	reply, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmRemoval: proto.Int64(4)}, append(shelf()[:8], item("new", "Stapler", "Office"))...)
	if err != nil || fmt.Sprint(reply.Counts) != counts(1, 0, 8, 4, 0) || reply.CatalogItems != 9 {
		t.Fatalf("%v %v", reply, err)
	}
	if len(reply.RemovedSample) != 4 || !slices.Equal(reply.AddedSample, []string{"new"}) || len(reply.ChangedSample) != 0 {
		t.Errorf("samples: %v", reply)
	}
}

// beginReplacement sends rows that are to replace the catalog, and does not end.
func (c *client) beginReplacement(ctx context.Context, rows []*kindredv1.Item) grpc.ClientStreamingClient[kindredv1.ImportItemsRequest, kindredv1.ImportItemsResponse] {
	c.t.Helper()
	stream := must(c.ImportItems(ctx))
	for _, m := range []*kindredv1.ImportItemsRequest{
		{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{Mode: replace}}},
		{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: rows}}},
	} {
		if err := stream.Send(m); err != nil && err != io.EOF { // EOF: it is refused already
			c.t.Fatal(err)
		}
	}
	return stream
}

func TestNothingOfAReplacementServesBeforeItsEnd(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	before := s.titles()
	rows := shelf()
	for _, it := range rows {
		it.Title += ", new"
	}
	stream := s.beginReplacement(ctx(t), rows)
	// Another one is refused only once this one has begun: from then on its rows are there. Now and then the other is the
	// first, and this one is refused, and begun again.
	for tries := 1; ; tries++ {
		time.Sleep(20 * time.Millisecond)
		_, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, DryRun: true}, rows...)
		if err != nil {
			code(t, err, codes.ResourceExhausted)
			break
		}
		if tries%100 == 0 {
			stream = s.beginReplacement(ctx(t), rows)
		}
	}
	if now := s.titles(); !slices.Equal(before, now) {
		t.Errorf("half a replacement serves: %v", now)
	}
	if reply, err := stream.CloseAndRecv(); err != nil || reply.Counts.Changed != 12 {
		t.Fatalf("%v %v", reply, err)
	}
	for _, line := range s.titles() {
		if !strings.HasSuffix(line, ", new") {
			t.Errorf("after the replacement: %s", line)
		}
	}
	// A stream that breaks changes nothing.
	broken, cancel := context.WithCancel(ctx(t))
	stream = s.beginReplacement(broken, shelf())
	after := s.titles()
	cancel()
	_, err := stream.CloseAndRecv()
	code(t, err, codes.Canceled)
	if now := s.titles(); !slices.Equal(after, now) {
		t.Errorf("a broken stream left %v", now)
	}
}

func TestReplacementIsRolledBackAndForth(t *testing.T) {
	s := start(t)
	_, err := s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{})
	code(t, err, codes.FailedPrecondition)
	rows := shelf()
	for _, it := range rows { // a feed with times: rows of the catalog before are older
		it.SourceTime = timestamppb.New(time.Now().Add(-time.Hour))
	}
	s.upsert(rows...)
	old := s.titles()
	next := append(shelf()[:6], item("new", "Stapler", "Office"))
	for _, it := range next {
		it.Title, it.SourceTime = it.Title+", new", timestamppb.Now()
	}
	next[1].Title = rows[1].Title // is the same but for its time
	must(s.importItems(&kindredv1.ImportOptions{ImportId: "spring", Mode: replace, ConfirmRemoval: proto.Int64(6)}, next...))
	replaced := s.titles()
	dry := must(s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{DryRun: true}))
	if fmt.Sprint(dry.Counts) != counts(6, 5, 1, 1, 0) || dry.ImportId != "spring" || dry.WriteToken != "" || !slices.Equal(s.titles(), replaced) {
		t.Errorf("dry rollback: %v", dry)
	}
	s.restart()
	back := must(s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{}))
	if back.ImportId != "spring" || back.ImportTime == nil || back.CatalogItems != 12 || back.Counts.Rejected != 0 || !slices.Equal(s.titles(), old) {
		t.Errorf("rolled back %v to %v", back, s.titles())
	}
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 50, MinWriteToken: back.WriteToken}); len(list.Items) != 12 || has(list.Items, "new") {
		t.Errorf("after it %v is shown", ids(list.Items))
	}
	again := must(s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{}))
	if again.ImportId != "rollback of spring" || !slices.Equal(s.titles(), replaced) {
		t.Errorf("rolled forth %v to %v", again, s.titles())
	}
}

func TestDryReplacementTellsItsRejectsAndItsImpact(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	var token string
	for i := range 6 {
		token = s.write(view(fmt.Sprint(i), fmt.Sprint("user-", i), "pen-6")).WriteToken
	}
	s.applied(token)
	before := s.titles()
	bad := item("bad", "Pen", "A")
	bad.Stock = proto.Int64(-1)
	rows := append(shelf()[:9], bad)
	rows[0].Stock = proto.Int64(0) // is there and not shown
	reply, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, DryRun: true, ImpactUsers: 4}, rows...)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Errors) != 1 || reply.Errors[0].Row != 9 || reply.Counts.Rejected != 1 || reply.Counts.Changed != 1 || reply.Counts.Removed != 3 {
		t.Errorf("dry run: %v", reply)
	}
	contains(t, reply.Refusal, "row 9")
	in := reply.Impact
	if in.GetUsers() != 4 || in.ChangedShare != 1 || in.LeavingMean <= 0 || len(in.Leaving) == 0 {
		t.Fatalf("impact %v", in)
	}
	gone := []string{"pen-1", "garden-4", "garden-5", "garden-6"}
	for _, x := range in.Leaving {
		if !slices.Contains(gone, x.ItemId) || x.Lists < 1 || x.Lists > 4 {
			t.Errorf("leaves: %v", x)
		}
	}
	for _, x := range in.Entering {
		if slices.Contains(gone, x.ItemId) {
			t.Errorf("enters: %v", x)
		}
	}
	if now := s.titles(); !slices.Equal(before, now) {
		t.Errorf("a dry run left %v", now)
	}
	_, err = s.importItems(&kindredv1.ImportOptions{ImpactUsers: 4}, rows...)
	refused(t, err, "options.impact_users")
}

// season is a whole catalog: the items of a part of a range, titled after it.
func season(name string, from, to int) []*kindredv1.Item {
	var items []*kindredv1.Item
	for i := from; i < to; i++ {
		items = append(items, item(fmt.Sprintf("i-%04d", i), "Folding chair, "+name, "Home"))
	}
	return items
}

func TestKilledInAReplacementTheCatalogIsTheOldOrTheNewOne(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(3, 0))
	spring, autumn := season("spring", 0, 2000), season("autumn", 1000, 3000)
	lines := func(items []*kindredv1.Item) (list []string) {
		for _, it := range items {
			list = append(list, it.Id+" "+it.Title)
		}
		return list
	}
	whole := func(c *client, items []*kindredv1.Item) error {
		stream, err := c.ImportItems(context.Background())
		if err != nil {
			return err
		}
		_ = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{
			Options: &kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(1)},
		}})
		for batch := range slices.Chunk(items, 500) {
			_ = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: batch}}})
		}
		_, err = stream.CloseAndRecv() // has the reason why a message was not sent
		return err
	}
	cmd, addr := spawn(t, dir)
	c := dial(t, addr, "")
	begin := time.Now()
	if err := whole(c, spring); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	old, next, kept, made := spring, autumn, 0, 0
	for range rounds {
		var answered error
		done := make(chan struct{})
		go func() { defer close(done); answered = whole(c, next) }()
		time.Sleep(time.Duration(rng.Int64N(int64(took))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		<-done
		c.conn.Close()
		cmd, addr = spawn(t, dir)
		c = dial(t, addr, "")
		switch now := c.titles(); {
		case slices.Equal(now, lines(next)):
			made++
			old, next = next, old
		case slices.Equal(now, lines(old)) && answered != nil:
			kept++
		default:
			t.Fatalf("after a kill there are %d items, neither the old catalog nor the new one (answered: %v)", len(now), answered)
		}
	}
	t.Logf("%d kills: %d left the old catalog, %d the new one", rounds, kept, made)
	if err := whole(c, next); err != nil || !slices.Equal(c.titles(), lines(next)) {
		t.Errorf("after the kills a replacement does not go through: %v", err)
	}
}
