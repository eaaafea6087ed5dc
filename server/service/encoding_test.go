package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kindred-rec/kindred/embed"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
)

func unspeakable(text string) error {
	if strings.Contains(text, "unspeakable") {
		return embed.ErrRefused
	}
	return nil
}

// quiet takes what a service logs: these tests make its encoder fail.
func quiet(c *service.Config) { c.Log = slog.New(slog.DiscardHandler) }

func TestACatalogIsEncodedByAWorkerWhileTheEmbeddedEncoderServes(t *testing.T) {
	c := newCounted(t, "slow@1")
	release := c.stand()
	w := startEmbedder(t, c)
	s := start(t, slowly(dialEmbedder(t, w.addr)), func(c *service.Config) { c.HTTP = "127.0.0.1:0" })
	items := office(t)
	begin := time.Now()
	s.put(items)
	t.Logf("%d items written in %v", len(items), time.Since(begin))

	// Nothing is encoded yet, and all is found: by words, by the bridge, as new ones.
	st := s.encodes("a queue", func(st *kindredv1.TenantStatus) bool { return st.Encoding.QueuedItems == int64(len(items)) })
	if !st.Encoding.Bridged || st.Encoding.Immediate || st.Encoder == "slow@1" || st.EncodedItems < int64(len(items))-5 {
		t.Errorf("while the worker stands still: %v", st)
	}
	s.applied(s.write(view("1", "ann", items[7].Id)).WriteToken)
	before := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 10})
	if before.Tier != kindredv1.Tier_TIER_PERSONALIZED || len(before.Items) != 10 {
		t.Errorf("bridged: %v, %d items", before.Tier, len(before.Items))
	}
	if reply := s.search(items[7].Title); !has(reply.Items[:10], items[7].Id) {
		t.Errorf("bridged search finds %v", ids(reply.Items))
	}

	begin = time.Now()
	release()
	st = s.filled()
	t.Logf("encoded and swapped in after %v: %v", time.Since(begin), st.Encoding)
	texts, again := c.computed()
	if want := distinct(items); texts != want || again != 0 {
		t.Errorf("%d texts were encoded and %d again; the catalog has %d", texts, again, want)
	}
	if st.EncodedItems < int64(len(items))-5 || st.Encoding.RefusedItems != 0 || st.Encoding.LastError != "" || st.Encoding.EncodedTexts != int64(texts) {
		t.Errorf("when all is encoded: %v", st)
	}
	// The wrapper gives the static vectors, so that the neighbours are those of the bridge.
	if reply := s.search(items[7].Title); !has(reply.Items[:10], items[7].Id) || !strings.Contains(reply.Method, "text vector") {
		t.Errorf("search finds %v by %q", ids(reply.Items), reply.Method)
	}
	after := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 10})
	if after.Tier != kindredv1.Tier_TIER_PERSONALIZED || after.Info.Generation == before.Info.Generation {
		t.Errorf("%v of generation %q, before %q", after.Tier, after.Info.Generation, before.Info.Generation)
	}
	metrics := get(t, "http://"+s.service.HTTPAddr()+"/metrics")
	for _, want := range []string{
		"kindred_tenant_encoding_queued_items{tenant=\"default\"} 0\n", "kindred_tenant_encoding_bridged{tenant=\"default\"} 0\n",
		fmt.Sprintf("kindred_tenant_encoding_texts_total{tenant=\"default\"} %d\n", texts),
	} {
		contains(t, metrics, want)
	}

	texts, _ = c.computed() // the search as well
	// A restart encodes nothing; neither does a feed that repeats itself, nor a patch.
	s.restart()
	if st := s.status(); st.Encoding.Bridged || st.Encoding.QueuedItems != 0 || st.Encoder != "slow@1" || st.EncodedItems < int64(len(items))-5 {
		t.Errorf("after a restart: %v", st)
	}
	repeated := proto.CloneOf(items[3])
	repeated.Price = &kindredv1.Money{CurrencyCode: "EUR", Units: 3}
	s.upsert(repeated, items[4])
	patch := must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{{Id: items[5].Id, Stock: proto.Int64(3), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}}}}))
	s.applied(patch.WriteToken)
	s.filled()
	if now, again := c.computed(); now != texts || again != 0 {
		t.Errorf("%d texts more were encoded, and %d again", now-texts, again)
	}
}

func TestAWorkerThatIsKilledLosesNothing(t *testing.T) {
	c := newCounted(t, "slow@1")
	c.pause = 2 * time.Millisecond
	w := startEmbedder(t, c)
	var log said
	s := start(t, slowly(dialEmbedder(t, w.addr)), func(c *service.Config) { c.Log = log.logger() })
	items := things(0, 2000)
	s.put(items)
	s.encodes("a part", func(st *kindredv1.TenantStatus) bool { return st.Encoding.EncodedTexts > 300 })
	w.kill()
	kept := s.encodes("a failure", func(st *kindredv1.TenantStatus) bool { return st.Encoding.Failing && st.Encoding.Failures > 3 })
	if kept.Encoding.LastError == "" || kept.Encoding.NextTryTime == nil || kept.Encoding.QueuedItems+kept.Encoding.FilledItems < 2000-callTexts {
		t.Errorf("while the worker is gone: %v", kept)
	}
	if len(s.recommend(&kindredv1.RecommendRequest{Limit: 5}).Items) != 5 {
		t.Error("nothing is recommended")
	}
	w.start()
	st := s.filled()
	texts, again := c.computed()
	t.Logf("%d texts, %d again; %v", texts, again, st.Encoding)
	// What was under way at the kill may have been computed without its answer coming.
	if texts != 2000 || again > callTexts*callLanes || st.EncodedItems != 2000 {
		t.Errorf("%d texts were encoded, %d again, %d items have a vector", texts, again, st.EncodedItems)
	}
	if n := strings.Count(log.String(), "the text encoder fails"); n != 1 || !strings.Contains(log.String(), "the text encoder works again") {
		t.Errorf("the failure is logged %d times:\n%s", n, log.String())
	}
}

func TestAServiceThatIsKilledGoesOnWhereItWas(t *testing.T) {
	c := newCounted(t, "slow@1")
	c.pause = 2 * time.Millisecond
	w := startEmbedder(t, c)
	dir := t.TempDir()
	cmd, addr := spawn(t, dir, killWorker+"="+w.addr)
	far := dial(t, addr, "")
	far.put(things(0, 2000))
	far.encodes("a part", func(st *kindredv1.TenantStatus) bool { return st.Encoding.EncodedTexts > 300 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := start(t, slowly(dialEmbedder(t, w.addr)), func(c *service.Config) {
		k := killable(dir)
		c.Data, c.Store = k.Data, store.DefaultOptions()
	})
	st := s.filled()
	texts, again := c.computed()
	t.Logf("%d texts, %d again; %v", texts, again, st.Encoding)
	if texts != 2000 || again > callTexts*callLanes || st.EncodedItems != 2000 || st.Encoding.EncodedTexts > 2000-300+callTexts*callLanes {
		t.Errorf("%d texts were encoded, %d again, %d items have a vector: %v", texts, again, st.EncodedItems, st.Encoding)
	}
}

// killWorker names, for the process that is to be killed, the worker that encodes.
const killWorker = "KINDRED_TEST_KILL_WORKER"

// encodeRemotely makes the process that is to be killed encode by a worker, if it is told to.
func encodeRemotely(c *service.Config) error {
	addr := os.Getenv(killWorker)
	if addr == "" {
		return nil
	}
	client, err := dialKilled(addr)
	if err == nil {
		slowly(client)(c)
	}
	return err
}

func TestAChangedTextAndEqualTexts(t *testing.T) {
	c := newCounted(t, "slow@1")
	w := startEmbedder(t, c)
	s := start(t, slowly(dialEmbedder(t, w.addr)))
	s.put(things(0, 300))
	s.filled()
	release := c.stand()
	// Two items and a third one of equal text; one that changes while its first text is
	// under way; one that brings a vector while its text is; one that goes.
	twin := func(id string) *kindredv1.Item { return item(id, "Twin lamp, brass", "Lamps") }
	s.upsert(twin("twin-1"), twin("twin-2"), item("changed", "Old words of no use", "Old"), item("own", "Words of its own", "Old"), item("gone", "Soon gone", "Old"))
	waitFor(t, "a call under way", func() bool { return w.batcher.Stats().Bulk.Texts > 0 })
	own := item("own", "Words of its own", "Old")
	own.Vector = make([]float32, 256)
	own.Vector[3] = 1
	s.upsert(item("changed", "Copper kettle with a whistle", "Kettles"), twin("twin-3"), own)
	gone := must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"gone"}}))
	s.applied(gone.WriteToken)
	release()
	st := s.filled()
	if st.EncodedItems != 305 {
		t.Errorf("%d items have a vector, want 305", st.EncodedItems)
	}
	if n := c.times("Twin lamp, brass. Lamps"); n != 1 {
		t.Errorf("the text of three items was encoded %d times", n)
	}
	if n := c.times("Copper kettle with a whistle. Kettles"); n != 1 {
		t.Errorf("the new text was encoded %d times", n)
	}
	// The vector is that of the newer text: nothing else is as near to it.
	reply := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "whistling kettles made of copper", Limit: 3}))
	if reply.Items[0].ItemId != "changed" {
		t.Errorf("found are %v", ids(reply.Items))
	}
	for i, want := range map[string]string{"twin-1": "twin", "twin-2": "twin"} {
		similar := must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: i, Limit: 2}))
		if !strings.HasPrefix(similar.Items[0].ItemId, want) {
			t.Errorf("like %s are %v", i, ids(similar.Items))
		}
	}
}

func TestATextThatIsRefusedHoldsNobodyUp(t *testing.T) {
	c := newCounted(t, "slow@1")
	w := startEmbedder(t, c)
	s := start(t, slowly(dialEmbedder(t, w.addr)), quiet)
	items := append(things(0, 200), item("bad-1", "An unspeakable thing", "Bad"), item("bad-2", "An unspeakable thing", "Bad"))
	s.put(items)
	st := s.filled()
	if st.EncodedItems != 200 || st.Encoding.RefusedItems != 2 || st.Encoding.Failing {
		t.Errorf("with a refused text: %v", st)
	}
	if texts, again := c.computed(); texts != 200 || again != 0 {
		t.Errorf("%d texts, %d again", texts, again)
	}
	s.upsert(item("bad-1", "A decent thing", "Good"))
	st = s.encodes("a vector", func(st *kindredv1.TenantStatus) bool { return st.EncodedItems == 201 })
	if st.Encoding.RefusedItems != 1 {
		t.Errorf("after the text changed: %v", st.Encoding)
	}
	// One that fails for no stated reason is tried again, beside which the others go on.
	c.failing(func(text string) error {
		if strings.Contains(text, "poison") {
			return errors.New("out of order")
		}
		return nil
	})
	s.put(append(things(200, 400), item("poison", "A poisonous thing", "Bad")))
	st = s.encodes("the others", func(st *kindredv1.TenantStatus) bool { return st.EncodedItems == 401 && st.Encoding.QueuedItems == 1 })
	if st.Encoding.RefusedItems != 1 || !strings.Contains(st.Encoding.LastError, "failed") {
		t.Errorf("with a text that fails: %v", st)
	}
	c.failing(nil)
	if st = s.filled(); st.EncodedItems != 402 {
		t.Errorf("after it works: %v", st)
	}
}

func TestAChangeOfEncodersFillsAGenerationWhileAnotherServes(t *testing.T) {
	first, second := newCounted(t, "slow@1"), newCounted(t, "slow@2")
	second.pause = time.Millisecond
	s := start(t, slowly(dialEmbedder(t, startEmbedder(t, first).addr)))
	s.put(things(0, 1500))
	s.applied(s.write(view("1", "ann", "thing-1"), view("2", "ann", "thing-2")).WriteToken)
	s.filled()
	kept := func() int { return keptVectors(t, s) }
	if n := kept(); n != 1500 {
		t.Errorf("%d vectors are kept", n)
	}
	slowly(dialEmbedder(t, startEmbedder(t, second).addr))(&s.config)
	release := second.stand()
	s.restart()
	if st := s.status(); !st.Encoding.Bridged || st.Encoding.QueuedItems != 1500 || st.Encoding.Encoder != "slow@2" {
		t.Errorf("with another encoder: %v", st)
	}
	stop, ended, n := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(ended)
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			reply, err := s.Recommend(context.Background(), &kindredv1.RecommendRequest{Subject: user("ann"), Limit: 10})
			if err != nil || len(reply.Items) != 10 {
				t.Errorf("while it is filled: %v, %d items", err, len(reply.GetItems()))
				return
			}
		}
	}()
	release()
	s.encodes("a part", func(st *kindredv1.TenantStatus) bool { return st.Encoding.EncodedTexts > 100 })
	s.upsert(things(1500, 1510)...)
	st := s.filled()
	close(stop)
	<-ended
	if texts, again := second.computed(); texts != 1510 || again != 0 || st.EncodedItems != 1510 || n == 0 {
		t.Errorf("%d texts, %d again, %d items with a vector, %d requests meanwhile", texts, again, st.EncodedItems, n)
	}
	waitFor(t, "the removal of the first model's vectors", func() bool { return kept() == 1510 })

	// Vectors of texts that no item has go with the next sweep.
	s.drop(0, 10)
	s.config.Shop.Encoding.SweepEvery = 20 * time.Millisecond
	s.restart()
	waitFor(t, "a sweep", func() bool { return kept() == 1500 })
	s.upsert(things(0, 1)...)
	s.filled()
	if n := second.times(itemWords(things(0, 1)[0])); n != 2 {
		t.Errorf("a text whose vector was swept was encoded %d times, want 2", n)
	}
	// The embedded encoder needs none; a sweep, and no start, takes them away.
	s.config.Shop.Encoder, s.config.Shop.Encoding.SweepEvery = nil, time.Hour
	s.restart()
	if st := s.status(); !st.Encoding.Immediate || st.Encoding.Bridged || st.EncodedItems != 1501 || kept() != 1501 {
		t.Errorf("with the embedded encoder, %d vectors are kept: %v", kept(), st)
	}
	s.config.Shop.Encoding.SweepEvery = 20 * time.Millisecond
	s.restart()
	waitFor(t, "a sweep", func() bool { return kept() == 0 })
}

func TestGraphsRefreshesAndStopsWhileAGenerationIsFilled(t *testing.T) {
	c := newCounted(t, "slow@1")
	w := startEmbedder(t, c)
	release := c.stand()
	defer release()
	s := start(t, slowly(dialEmbedder(t, w.addr)), withIndex(func(c *shops.IndexConfig) { c.Threshold = 1000 }))
	s.put(things(0, 1500))
	if x := s.serves("hnsw"); x.Items != 1500 {
		t.Errorf("the bridge has %d of 1500 items in its graph", x.Items)
	}
	refreshed := must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
	if st := s.status(); !st.Encoding.Bridged || st.Encoding.QueuedItems != 1500 || refreshed.EncodedItems != 1500 {
		t.Errorf("a refresh of the bridge: %v", st)
	}
	// A stop does not wait for a call under way, and what was queued waits after a start.
	begin := time.Now()
	s.stop()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	s.run(t)
	if st := s.status(); !st.Encoding.Bridged || st.Encoding.QueuedItems != 1500 || st.Index.RestoredTime == nil {
		t.Errorf("after a restart: %v", st)
	}
	release()
	st := s.filled()
	if st.Index.Engine != "hnsw" || st.Index.Items != 1500 || st.EncodedItems != 1500 {
		t.Errorf("filled: %v", st)
	}
	texts, _ := c.computed()
	// An item whose text waits keeps its vector through a refresh, and the next has it.
	release = c.stand()
	defer release()
	s.upsert(item("thing-7", "Copper kettle with a whistle", "Kettles"))
	if got := must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{})); got.EncodedItems != 1500 {
		t.Errorf("a refresh while a text waits: %v", got)
	}
	release()
	if st = s.filled(); st.EncodedItems != 1500 {
		t.Errorf("after it: %v", st)
	}
	if reply := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "whistling kettles made of copper", Limit: 3})); reply.Items[0].ItemId != "thing-7" {
		t.Errorf("found are %v", ids(reply.Items))
	}
	if now, again := c.computed(); now != texts+2 || again > callTexts*callLanes { // and the search
		t.Errorf("%d texts more were encoded, and %d again", now-texts, again)
	}
	s.restart()
	if st := s.status(); st.Index.RestoredTime == nil || st.Index.RepairedItems != 0 || st.Encoder != "slow@1" {
		t.Errorf("the graph of the slow encoder after a restart: %v", st)
	}
	// A large import is served by the bridge again until it is encoded.
	release = c.stand()
	defer release()
	s.put(things(1500, 3000))
	s.encodes("the bridge", func(st *kindredv1.TenantStatus) bool {
		return st.Encoding.Bridged && st.EncodedItems == 3000 && st.Encoding.FilledItems == 1500
	})
	release()
	if st := s.filled(); st.EncodedItems != 3000 {
		t.Errorf("after a large import: %v", st)
	}
}
