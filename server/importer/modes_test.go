package importer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestDryRunChangesNothingAndSaysSo(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := shop(t, 12, 3, 4)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string { return strings.Replace(rows, "Thing 5", "reject me", 1) })
	edit(t, filepath.Join(dir, "events.csv"), func(rows string) string { return strings.Replace(rows, ",view,", ",Gaze,", 1) })
	opts := csvOptions(addr, dir)
	opts.DryRun = true
	sum := mustRun(t, opts)
	if diff := cmp.Diff(ItemCounts{Read: 12, Added: 11, Rejected: 1}, sum.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(EventCounts{Read: 12, Valid: 11, Rejected: 1}, sum.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !s.options.GetDryRun() || len(s.items) != 0 || s.streams != 0 || s.updates != 0 {
		t.Errorf("a dry run changed something: dry_run %v, %d items, %d event streams, %d updates", s.options.GetDryRun(), len(s.items), s.streams, s.updates)
	}
	got := text(t, sum)
	for _, want := range []string{"dry run: the service judged the items and kept none; the events were checked here and not sent", "run it without --dry-run", `"Gaze" is no built-in type`} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks %q:\n%s", want, got)
		}
	}
}

func TestDryRunOfEventsAloneNeedsNoService(t *testing.T) {
	opts := csvOptions("127.0.0.1:1", shop(t, 12, 3, 4))
	opts.DryRun, opts.EventsOnly = true, true
	if sum := mustRun(t, opts); sum.Events.Valid != 12 || sum.Items.Read != 0 {
		t.Errorf("%+v %+v", sum.Items, sum.Events)
	}
}

func TestPartsCanBeImportedAlone(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 6, 2, 5))
	opts.EventsOnly = true
	sum := mustRun(t, opts)
	if diff := cmp.Diff(EventCounts{Read: 10, Added: 10, Unjoined: 10}, sum.Events); diff != "" || len(s.items) != 0 {
		t.Errorf("events only, %d items (-want +got):\n%s", len(s.items), diff)
	}
	if got := text(t, sum); !strings.Contains(got, "10 events name items that are not in the catalog; they count as soon as it is imported") {
		t.Errorf("the summary does not explain the unjoined events:\n%s", got)
	}
	opts.EventsOnly, opts.ItemsOnly = false, true
	if sum := mustRun(t, opts); sum.Items.Added != 6 || sum.Events.Read != 0 {
		t.Errorf("items only: %+v %+v", sum.Items, sum.Events)
	}
}

func TestReplaceRemovesWhatTheFilesLack(t *testing.T) {
	s := &service{memory: newMemory()}
	s.items["old"] = &kindredv1.Item{Id: "old"}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 4, 1, 1))
	share := 0.3
	opts.Mode, opts.ConfirmDrop = Replace, &share
	sum := mustRun(t, opts)
	if sum.Items.Removed != 1 || sum.Items.Catalog != 4 || s.items["old"] != nil {
		t.Errorf("%+v", sum.Items)
	}
	if s.options.GetConfirmDropShare() != 0.3 {
		t.Errorf("confirmed share %v, want 0.3", s.options.GetConfirmDropShare())
	}
}

func TestReplaceWithARowThatCannotBeReadRemovesNothing(t *testing.T) {
	s := &service{memory: newMemory()}
	s.items["i2"] = &kindredv1.Item{Id: "i2", Title: "Thing 2"}
	addr, _ := serve(t, s, "")
	dir := shop(t, 4, 1, 1)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string { return strings.Replace(rows, "i2,Thing 2,3.50", "i2,Thing 2,?", 1) })
	opts := csvOptions(addr, dir)
	opts.Mode = Replace
	sum := mustRun(t, opts)
	if s.items["i2"] == nil || sum.Items.Removed != 0 || s.options.GetMode() != kindredv1.ImportMode_IMPORT_MODE_MERGE {
		t.Errorf("an item was removed since its row could not be read: %+v, mode %s", sum.Items, s.options.GetMode())
	}
	if got := text(t, sum); !strings.Contains(got, "nothing was removed, the rows were merged") {
		t.Errorf("the summary does not say so:\n%s", got)
	}
}

func TestReplaceWithARejectedRowRemovesNothingAndNamesTheRow(t *testing.T) {
	s := &service{memory: newMemory()}
	s.items["old"] = &kindredv1.Item{Id: "old"}
	addr, _ := serve(t, s, "")
	dir := shop(t, 4, 1, 1)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string { return strings.Replace(rows, "Thing 2", "reject me", 1) })
	opts := csvOptions(addr, dir)
	opts.Mode = Replace
	sum := mustRun(t, opts)
	if s.items["old"] == nil || sum.Items.Rejected != 1 || len(sum.BadRows) != 1 || sum.BadRows[0].Column != "title" {
		t.Errorf("%+v, bad rows %+v", sum.Items, sum.BadRows)
	}
	if got := text(t, sum); !strings.Contains(got, "nothing was removed, the rows were merged: 1 rows had errors") {
		t.Errorf("the summary does not say so:\n%s", got)
	}
}

func TestBoundThatWaitingDoesNotLiftIsRefusedAtOnce(t *testing.T) {
	tries := 0
	s := &service{memory: newMemory()}
	s.onItems = func() error {
		tries++
		return status.Error(codes.ResourceExhausted, "the tenant holds 10 items, no more may come")
	}
	addr, _ := serve(t, s, "")
	_, err := Run(t.Context(), csvOptions(addr, shop(t, 4, 1, 1)), io.Discard)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no more may come") || tries != 1 {
		t.Errorf("error %v after %d tries", err, tries)
	}
}

func TestTooLargeADropIsRefusedWithTheWayOut(t *testing.T) {
	s := &service{memory: newMemory()}
	s.onItems = func() error {
		return status.Error(codes.FailedPrecondition, "would remove 60% of the catalog,\nconfirm_drop_share allows 20%")
	}
	addr, _ := serve(t, s, "")
	opts := csvOptions(addr, shop(t, 4, 1, 1))
	opts.Mode = Replace
	_, err := Run(t.Context(), opts, io.Discard)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "would remove 60% of the catalog, confirm_drop_share allows 20%; if it is meant, --confirm-drop") {
		t.Errorf("error %v", err)
	}
}

func TestTooManyErrorsStop(t *testing.T) {
	for _, where := range []string{"items.csv", "events.csv"} {
		t.Run(where, func(t *testing.T) {
			s := &service{memory: newMemory()}
			addr, _ := serve(t, s, "")
			dir := shop(t, 300, 10, 30)
			edit(t, filepath.Join(dir, where), func(rows string) string {
				return strings.ReplaceAll(strings.ReplaceAll(rows, "9.50,EUR", "9.50,euro"), ",view,", ",reject_me,")
			})
			opts := csvOptions(addr, dir)
			opts.MaxErrors, opts.Batch, opts.InFlight = 5, 10, 1
			sum, err := Run(t.Context(), opts, io.Discard)
			if !errors.Is(err, ErrTooManyErrors) {
				t.Fatalf("error %v, want ErrTooManyErrors", err)
			}
			if sum.Complete || sum.Rejected() < 5 || sum.Rejected() > 20 {
				t.Errorf("complete %v, %d rejected, want hardly more than 5", sum.Complete, sum.Rejected())
			}
			if where == "items.csv" && len(s.items) == 0 {
				t.Error("the good rows before did not land")
			}
		})
	}
}

func TestServiceNamesRowsByTheirPlaceInTheFile(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := shop(t, 40, 1, 1)
	edit(t, filepath.Join(dir, "items.csv"), func(rows string) string {
		rows = strings.Replace(rows, "i3,Thing 3,4.50", "i3,Thing 3,x", 1)
		rows = strings.Replace(rows, "i9,Thing 9,10.50", "i9,Thing 9,x", 1)
		return strings.Replace(rows, "Thing 20", "reject me", 1)
	})
	sum := mustRun(t, csvOptions(addr, dir))
	last := sum.BadRows[len(sum.BadRows)-1]
	if last.By != "service" || last.ID != "i20" || last.Number != 21 {
		t.Errorf("%+v, want the 21st item", last)
	}
	if diff := cmp.Diff(ItemCounts{Read: 40, Added: 37, Rejected: 3, Catalog: 37}, sum.Items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrorsPastTheServicesListAreCounted(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "items.csv"), "id,title\n"+strings.Repeat("x,reject me\n", 1200))
	opts := csvOptions(addr, dir)
	opts.ItemsOnly = true
	sum := mustRun(t, opts)
	if sum.Items.Rejected != 1200 || len(sum.BadRows) != 20 || sum.BadRowsOmitted != 1180 {
		t.Errorf("%d rejected, %d listed, %d omitted", sum.Items.Rejected, len(sum.BadRows), sum.BadRowsOmitted)
	}
	got := text(t, sum)
	for _, want := range []string{"1,200 rows were rejected:", "and 1,180 more", "named the first 1,000 rejected items and counted 200 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks %q:\n%s", want, got)
		}
	}
}

func TestBatchesStayBelowTheMessageLimit(t *testing.T) {
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	dir := t.TempDir()
	var items, events strings.Builder
	items.WriteString("id,description\n")
	events.WriteString("user,item,type,text,time\n")
	for i := range 200 {
		fmt.Fprintf(&items, "i%d,%s\n", i, strings.Repeat("word ", 13_000))
	}
	long := strings.Repeat("long ", 1600)
	for i := range 900 {
		fmt.Fprintf(&events, "u,i1,comment,%s,%d\n", long, time.Now().Unix()-1000+int64(i))
	}
	write(t, filepath.Join(dir, "items.csv"), items.String())
	write(t, filepath.Join(dir, "events.csv"), events.String())
	opts := csvOptions(addr, dir)
	opts.Batch = 1000
	sum := mustRun(t, opts)
	if sum.Items.Added != 200 || sum.Events.Added != 900 {
		t.Errorf("%+v %+v", sum.Items, sum.Events)
	}
	if s.mostBytes > 4<<20 || s.mostBytes < 2<<20 {
		t.Errorf("largest message %d bytes, want below 4 MiB and not far below", s.mostBytes)
	}
}

// oldLog is a log without times, as the readers give it times long ago.
func oldLog(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sequences.txt"), "u1 a b\nu2 b\n")
	write(t, filepath.Join(dir, "item_attributes.json"), `{"a":[1],"b":[2]}`)
	return dir
}

func TestEmptyTenantIsSuitedToAnOldLog(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*service, *Options)
		want   int
	}{
		{"no events yet", func(*service, *Options) {}, 1},
		{"settings to be kept", func(_ *service, o *Options) { o.KeepSettings = true }, 0},
		{"the tenant is in use", func(s *service, _ *Options) { s.events["x"] = &kindredv1.Event{Id: "x"} }, 0},
		{"no role for settings", func(s *service, _ *Options) { s.adminErr = status.Error(codes.PermissionDenied, "no") }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &service{memory: newMemory()}
			addr, _ := serve(t, s, "")
			opts := Options{Format: dataset.S3Rec, Data: oldLog(t), Addr: addr}
			c.change(s, &opts)
			sum := mustRun(t, opts)
			if s.updates != c.want || len(sum.Notes) != c.want {
				t.Fatalf("%d updates of the tenant and %d notes, want %d of each", s.updates, len(sum.Notes), c.want)
			}
			if c.want == 1 && (s.tenant.GetClock() != kindredv1.Clock_CLOCK_LOG || !strings.Contains(sum.Notes[0], "2000-01-01")) {
				t.Errorf("clock %s, note %q", s.tenant.GetClock(), sum.Notes[0])
			}
		})
	}
	t.Run("a log of these days", func(t *testing.T) {
		s := &service{memory: newMemory()}
		addr, _ := serve(t, s, "")
		mustRun(t, csvOptions(addr, shop(t, 3, 3, 3)))
		if s.updates != 0 {
			t.Error("the tenant was changed for no reason")
		}
	})
}

// TestOfficeCatalogTwice imports a published log in full, if it is there.
func TestOfficeCatalogTwice(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "amazon-office")
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		t.Skip("the published log is not here")
	}
	s := &service{memory: newMemory()}
	addr, _ := serve(t, s, "")
	opts := Options{Format: dataset.Amazon, Data: dir, Addr: addr}
	first := mustRun(t, opts)
	if first.Items.Added != 3459 || first.Events.Added != 17_227 || first.Rejected() != 0 || first.Events.Unjoined != 0 {
		t.Errorf("first: %+v %+v", first.Items, first.Events)
	}
	second := mustRun(t, opts)
	if !second.NothingNew() || !strings.Contains(text(t, second), "all 17,227 events were known already") {
		t.Errorf("second: %+v %+v", second.Items, second.Events)
	}
	checkOrder(t, s.memory)
}
