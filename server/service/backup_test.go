package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// restoredFrom starts a service on what a directory of backups restores to, and verifies
// every row of it before.
func restoredFrom(t *testing.T, from string, o backup.RestoreOptions) (*shop, backup.Report) {
	t.Helper()
	o.From, o.Data, o.Models, o.Store = from, filepath.Join(t.TempDir(), "restored"), "models", store.DefaultOptions()
	o.Store.Logger = slog.New(faults{t})
	report, err := backup.Restore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := store.Open(o.Data, o.Store)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := opened.Verify(t.Context(), nil); err != nil || !v.Whole() {
		t.Errorf("the restored store: %v, %v", v, err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	return start(t, func(c *service.Config) { c.Data = o.Data }), report
}

// TestABackupUnderLoadRestoresElsewhere takes backups through the port while writers
// write, restores them to another directory, serves that, and compares.
func TestABackupUnderLoadRestoresElsewhere(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	operations := kindredv1.NewOperationsServiceClient(s.conn)
	source, dir := api.RemoteBackup{Client: operations}, t.TempDir()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var written [3]int
	for w := range written {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := written[w]
				event := view(fmt.Sprintf("%d-%d", w, n), fmt.Sprint("user", n%40), fmt.Sprint("pen-", 1+n%6))
				if _, err := s.WriteEvents(context.Background(), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{event}}); err != nil {
					t.Error(err)
					return
				}
				written[w]++
			}
		})
	}
	for range 3 {
		time.Sleep(50 * time.Millisecond) // let some be written
		if _, err := backup.Take(t.Context(), dir, source, backup.TakeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	writers.Wait()
	// A restore is a prefix of each writer's events; after a last backup it is all of them.
	partial, _ := restoredFrom(t, dir, backup.RestoreOptions{})
	var next [3]int
	for _, e := range partial.exported() {
		var w, n int
		if _, err := fmt.Sscanf(e.Id, "%d-%d", &w, &n); err != nil || next[w] != n {
			t.Fatalf("event %s where %d is next", e.Id, next[w])
		}
		next[w]++
	}
	t.Logf("%v events written, %v in the last backup under load", written, next)
	last, err := backup.Take(t.Context(), dir, source, backup.TakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	restored, report := restoredFrom(t, dir, backup.RestoreOptions{})
	if last.Number != 4 || report.Backup != 4 {
		t.Errorf("backup %d, restored %d", last.Number, report.Backup)
	}
	got, want := restored.exported(), s.exported()
	if len(got) != len(want) || len(want) != written[0]+written[1]+written[2] {
		t.Fatalf("%d events restored of %d", len(got), len(want))
	}
	for i := range want {
		if got[i].String() != want[i].String() {
			t.Errorf("event %d: %v, want %v", i, got[i], want[i])
		}
	}
	for _, it := range shelf() {
		a := must(s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: it.Id}))
		b := must(restored.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: it.Id}))
		if a.String() != b.String() {
			t.Errorf("item %s: %v, want %v", it.Id, b, a)
		}
	}
	ask := &kindredv1.RecommendRequest{Subject: user("user1"), Limit: 6, Seed: 7}
	if a, b := ids(s.recommend(ask).Items), ids(restored.recommend(ask).Items); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("recommended %v, before %v", b, a)
	}
	// Tokens of before are noticed: a reply says that it does not reflect them.
	token := s.write(view("late", "user1", "pen-1")).WriteToken
	reply := restored.recommend(&kindredv1.RecommendRequest{Limit: 1, MinWriteToken: token})
	if reply.Info.Lag == 0 {
		t.Error("a token of before the restore counts as reflected")
	}
}

func TestOperationsAreForAdminsOfTheDefaultTenant(t *testing.T) {
	s := start(t)
	must(s.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "other"}}))
	for _, c := range []struct {
		tenant string
		role   kindredv1.Role
		want   codes.Code
	}{
		{"default", kindredv1.Role_ROLE_ADMIN, codes.OK}, {"other", kindredv1.Role_ROLE_ADMIN, codes.PermissionDenied},
		{"default", kindredv1.Role_ROLE_SCIENTIST, codes.PermissionDenied},
	} {
		key := must(s.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Tenant: c.tenant, Role: c.role}))
		client := kindredv1.NewOperationsServiceClient(dial(t, s.service.Addr(), key.Secret).conn)
		_, err := client.GetStorage(ctx(t), &kindredv1.GetStorageRequest{})
		code(t, err, c.want)
		_, err = client.Compact(ctx(t), &kindredv1.CompactRequest{})
		code(t, err, c.want)
		_, err = backup.Take(t.Context(), t.TempDir(), api.RemoteBackup{Client: client}, backup.TakeOptions{})
		code(t, err, c.want)
	}
}

func TestABackupOfAnotherStoreIsRefused(t *testing.T) {
	a, b, dir := start(t), start(t), t.TempDir()
	of := func(s *shop) backup.Source {
		return api.RemoteBackup{Client: kindredv1.NewOperationsServiceClient(s.conn)}
	}
	if _, err := backup.Take(t.Context(), dir, of(a), backup.TakeOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := backup.Take(t.Context(), dir, of(b), backup.TakeOptions{})
	if err == nil || status.Code(err) == codes.OK {
		t.Fatal("it added to another store's")
	}
	contains(t, err.Error(), "make a full one")
}

// filesWith lists the files under a directory that hold a word.
func filesWith(t *testing.T, dir, word string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(word)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestTheErasedLeaveEveryFileOfARunningService writes all that a service keeps of a
// person, erases them, and looks through every byte under its directory while it runs.
func TestTheErasedLeaveEveryFileOfARunningService(t *testing.T) {
	s := start(t, func(c *service.Config) { c.EraseWithin = 2 * time.Second })
	s.upsert(shelf()...)
	for i := range 60 {
		e := view(fmt.Sprintf("annabel-event-%d", i), "annabel", fmt.Sprint("pen-", 1+i%6))
		e.SessionId = fmt.Sprint("annabel-session-", i%3)
		s.write(e, view(fmt.Sprint("b", i), "bob", "pen-1"))
	}
	must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{
		UserId: "annabel", Attributes: map[string]*kindredv1.Value{"home": {Kind: &kindredv1.Value_StringValue{StringValue: "annabel's home"}}},
	}}))
	must(s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "annabel-phone", UserId: "annabel"}))
	for range 3 {
		s.recommend(&kindredv1.RecommendRequest{Subject: user("annabel"), Limit: 2})
	}
	s.restart() // checkpoints and indexes are written, the memtables become tables
	s.write(view("annabel-late", "annabel", "pen-3"))
	if found := filesWith(t, s.config.Data, "annabel"); len(found) < 2 {
		t.Fatalf("before the erase only %v know the person", found)
	}
	reply := must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("annabel")}))
	if reply.Events != 61 || !reply.Profile || reply.Decisions < 3 {
		t.Errorf("receipt %v", reply)
	}
	_, err := s.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user("annabel")})
	code(t, err, codes.NotFound)
	operations := kindredv1.NewOperationsServiceClient(s.conn)
	// The service compacts by itself within the time that it promises.
	for {
		st := must(operations.GetStorage(ctx(t), &kindredv1.GetStorageRequest{}))
		if st.EraseWaitTime == nil && st.CompactTime != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if found := filesWith(t, s.config.Data, "annabel"); len(found) != 0 {
		t.Errorf("after the erase %v still know the person", found)
	}
	if len(filesWith(t, s.config.Data, "bob")) == 0 {
		t.Error("another person went, too")
	}
	if got := len(s.exported()); got != 60 {
		t.Errorf("%d events are left, want 60", got)
	}
}
