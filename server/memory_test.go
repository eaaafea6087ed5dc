package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// What a service with --memory 256MiB may hold: its own pages (RssAnon of Linux: heap, stacks, native memory) stay under that
// and a quarter, for the limit is one that the collector steers to: a compaction of the store that begins while it works
// allocates tens of megabytes at once. Pages of mapped files (the program, tables and logs of the store) come on top; the kernel
// takes them back when others need them.
const (
	memoryGiven = 256 << 20
	ownBound    = memoryGiven + memoryGiven/4
)

// hourOf is how many calls the load has: those of an hour at ten a second, which come at once.
const hourOf = 10 * 3600

// residents reads a line of /proc/PID/status, in bytes.
func (p *process) residents(name string) int64 {
	p.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.command.Process.Pid) + "/status")
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		p.t.Fatalf("no %s in\n%s", name, text)
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}

// mostOwn samples RssAnon until the context ends, and gives the most it saw.
func (p *process) mostOwn(ctx context.Context) (most int64) {
	for ctx.Err() == nil {
		most = max(most, p.residents("RssAnon"))
		time.Sleep(20 * time.Millisecond)
	}
	return most
}

// hour is load that has much of everything: people and sessions who come once, some with a long past, large batches, filters
// that are long and all different, lists that are kept for their pages.
type hour struct {
	events  kindredv1.EventServiceClient
	lists   kindredv1.RecommendationServiceClient
	catalog kindredv1.CatalogServiceClient
	items   int
	failed  atomic.Int64
	first   sync.Once
	fault   error
}

const fans = 200 // who have a long past

func (h *hour) fill(t *testing.T) {
	t.Helper()
	var batch []*kindredv1.Item
	for i := range h.items {
		batch = append(batch, &kindredv1.Item{
			Id: fmt.Sprint("item-", i), Title: fmt.Sprintf("Thing %d of kind %d, size %d", i, i%40, i%7), Categories: []string{fmt.Sprint("Kind ", i%40)},
			Price: &kindredv1.Money{CurrencyCode: "EUR", Units: int64(1 + i%100)}, Stock: proto.Int64(5), Brand: fmt.Sprint("brand-", i%60),
		})
		if len(batch) == 500 || i == h.items-1 {
			reply, err := h.catalog.UpsertItems(t.Context(), &kindredv1.UpsertItemsRequest{Items: batch})
			if err != nil || len(reply.Errors) > 0 {
				t.Fatal(err, reply.GetErrors())
			}
			batch = nil
		}
	}
}

func (h *hour) item(i int) string { return fmt.Sprint("item-", (i*7919)%h.items) }

// call is the i-th call of the hour.
func (h *hour) call(ctx context.Context, i int) (err error) {
	person := &kindredv1.Subject{UserId: fmt.Sprint("user-", i)}
	ask := &kindredv1.RecommendRequest{Subject: person, Limit: 20}
	switch i % 20 {
	case 0, 1, 2:
		_, err = h.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: h.acts(fmt.Sprint("session-", i), i, 5)})
		return err
	case 3:
		size := 5
		if i%400 == 3 {
			size = 1000
		}
		_, err = h.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: h.acts(fmt.Sprint("fan-", i/400%fans), i, size)})
		return err
	case 4:
		_, err = h.lists.SearchItems(ctx, &kindredv1.SearchItemsRequest{Query: fmt.Sprintf("thing %d kind %d", i, i%40), Limit: 20})
		return err
	case 5:
		_, err = h.lists.SimilarItems(ctx, &kindredv1.SimilarItemsRequest{ItemId: h.item(i), Limit: 20})
		return err
	case 6, 7:
		ask.Filter = longFilter(i)
	case 8:
		ask.Paginate = true
	case 9, 10:
		ask.Subject = &kindredv1.Subject{SessionId: fmt.Sprint("session-", i-10)}
	case 11, 12:
		ask.Subject = &kindredv1.Subject{UserId: fmt.Sprint("fan-", i%fans)}
	}
	_, err = h.lists.Recommend(ctx, ask)
	return err
}

// acts are events of somebody.
func (h *hour) acts(who string, i, n int) (list []*kindredv1.Event) {
	for k := range n {
		e := &kindredv1.Event{Id: fmt.Sprint(i, "-", k), Type: kindredv1.EventType_EVENT_TYPE_VIEW, ItemId: h.item(i + k)}
		if strings.HasPrefix(who, "session-") {
			e.SessionId = who
		} else {
			e.UserId = who
		}
		list = append(list, e)
	}
	return list
}

// longFilter is of nearly 4 KiB, and no other is like it.
func longFilter(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "price > 1.%d && !(brand in [", i)
	for k := 0; b.Len() < 3900; k++ {
		fmt.Fprintf(&b, "%q, ", fmt.Sprint("brand ", i, " of ", k))
	}
	b.WriteString(`"none"])`)
	return b.String()
}

// run makes so many calls, a few at a time.
func (h *hour) run(ctx context.Context, calls int) {
	var next atomic.Int64
	var crew sync.WaitGroup
	for range 16 {
		crew.Go(func() {
			for i := int(next.Add(1)) - 1; i < calls; i = int(next.Add(1)) - 1 {
				if err := h.call(ctx, i); err != nil {
					h.failed.Add(1)
					h.first.Do(func() { h.fault = err })
				}
			}
		})
	}
	crew.Wait()
}

func TestMemoryStaysUnderItsBoundThroughAnHourOfLoad(t *testing.T) {
	if runtime.GOOS != "linux" || raceEnabled {
		t.Skip("reads /proc of a process as it is built for use")
	}
	calls := hourOf
	if testing.Short() {
		calls /= 12
	}
	var log book
	p := startKindred(t, &log, "--memory", "256MiB")
	conn, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := &hour{events: kindredv1.NewEventServiceClient(conn), lists: kindredv1.NewRecommendationServiceClient(conn),
		catalog: kindredv1.NewCatalogServiceClient(conn), items: 4000}
	h.fill(t)
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	most := make(chan int64, 1)
	go func() { most <- p.mostOwn(watching) }()
	h.run(t.Context(), calls)
	stop()
	own := <-most
	if n := h.failed.Load(); n > 0 {
		t.Errorf("%d calls failed, the first: %v", n, h.fault)
	}
	t.Logf("%d calls: own memory at most %d MiB, with mapped files at most %d MiB, %d MiB of these mapped at the end",
		calls, own>>20, p.residents("VmHWM")>>20, p.residents("RssFile")>>20)
	if own > ownBound {
		t.Errorf("own memory came to %d MiB, the bound is %d: --memory and a quarter", own>>20, ownBound>>20)
	}
}
