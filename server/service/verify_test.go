package service_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/service"
)

// TestAServiceVerifiesItselfWhileItServes verifies through the port while events, erases
// and checkpoints are written, then with a model that is damaged.
func TestAServiceVerifiesItselfWhileItServes(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.CheckpointEvery = 20 })
	s.upsert(shelf()...)
	operations := kindredv1.NewOperationsServiceClient(s.conn)
	const atLeast = 120 // turns of the writers: the machine, not the test, says how many verifications they last
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var turns atomic.Int64
	for w := range 3 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				who := fmt.Sprint("u", w, "-", i%20)
				e := view(fmt.Sprint(w, "-", i), who, fmt.Sprint("pen-", 1+i%6))
				e.SessionId = who + "-phone"
				_, err := s.WriteEvents(context.Background(), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{e}})
				if err == nil {
					_, err = s.Recommend(context.Background(), &kindredv1.RecommendRequest{Subject: user(who), Limit: 2, Paginate: true})
				}
				if err == nil && i%10 == 9 {
					_, err = s.profiles.EraseProfile(context.Background(), &kindredv1.EraseProfileRequest{Subject: user(who)})
				}
				if err != nil {
					t.Error(err)
					return
				}
				turns.Add(1)
			}
		})
	}
	var rows int64
	for n := 0; (n < 10 || turns.Load() < atLeast) && !t.Failed(); n++ {
		v, err := api.RemoteVerify(ctx(t), operations, 1<<30, func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		if !v.Whole() {
			t.Errorf("a sound store is said to have faults: %v", v.Faults)
		}
		rows = 0
		for _, n := range v.Counts {
			rows += n.Rows
		}
	}
	close(stop)
	writers.Wait()
	t.Logf("%d rows in the last verification, %d turns of the writers", rows, turns.Load())
	if rows < 100 {
		t.Errorf("%d rows were read", rows)
	}

	hash := trainedOn(t, s.config.Data, bundle.DataRange{LogHead: 3, Events: 3})
	damaged := filepath.Join(service.ModelsDir(s.config.Data), "1", hash, "words.txt")
	if err := os.WriteFile(damaged, []byte("wordz"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := api.RemoteVerify(ctx(t), operations, 0, func(int64) {})
	if err != nil || len(v.Faults) != 1 || v.Faults[0].Kind != "model" || filepath.Base(v.Faults[0].Key) != hash {
		t.Errorf("a damaged model: %v, %v", v, err)
	}
}

func TestVerificationsAreSlowOneAtATimeAndForOperators(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for i := range 2000 { // 1 MiB a second takes a second and more for the events of these
		if i%100 == 0 {
			var batch []*kindredv1.Event
			for k := range 100 {
				e := view(fmt.Sprint(i, "-", k), fmt.Sprint("u", k), "pen-1")
				e.Text = fmt.Sprintf("%0300d", k)
				batch = append(batch, e)
			}
			s.write(batch...)
		}
	}
	operations := kindredv1.NewOperationsServiceClient(s.conn)
	_, err := api.RemoteVerify(ctx(t), operations, 100, func(int64) {})
	refused(t, err, "bytes_per_second")

	slow, cancel := context.WithCancel(ctx(t))
	stream := must(operations.Verify(slow, &kindredv1.VerifyRequest{BytesPerSecond: 1 << 20}))
	if m := must(stream.Recv()); m.GetProgress() == nil {
		t.Errorf("the first message is no progress: %v", m)
	}
	_, err = api.RemoteVerify(ctx(t), operations, 0, func(int64) {})
	code(t, err, codes.ResourceExhausted)
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 2}); len(list.Items) != 2 {
		t.Errorf("meanwhile %v is shown", list)
	}
	cancel() // and the next one has its turn
	for {
		_, err := api.RemoteVerify(ctx(t), operations, 1<<30, func(int64) {})
		if err == nil {
			break
		}
		code(t, err, codes.ResourceExhausted)
	}

	must(s.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "other"}}))
	key := must(s.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Tenant: "other", Role: kindredv1.Role_ROLE_ADMIN}))
	other := kindredv1.NewOperationsServiceClient(dial(t, s.service.Addr(), key.Secret).conn)
	_, err = api.RemoteVerify(ctx(t), other, 0, func(int64) {})
	code(t, err, codes.PermissionDenied)
}
