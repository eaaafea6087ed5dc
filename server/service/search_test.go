package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// search asks for all that a text finds, with reasons.
func (c *client) search(query string, edits ...func(*kindredv1.SearchItemsRequest)) *kindredv1.SearchItemsResponse {
	c.t.Helper()
	req := &kindredv1.SearchItemsRequest{Query: query, Limit: 100, Explain: true}
	for _, edit := range edits {
		edit(req)
	}
	reply, err := c.SearchItems(ctx(c.t), req)
	if err != nil {
		c.t.Fatalf("search %.40q: %v", query, err)
	}
	return reply
}

// byWord returns the ids that were found by their words, best first.
func byWord(reply *kindredv1.SearchItemsResponse) []string {
	var found []string
	for _, it := range reply.Items {
		if slices.ContainsFunc(it.Reasons, func(r *kindredv1.Reason) bool { return r.Feature == "lexical_match" }) {
			found = append(found, it.ItemId)
		}
	}
	return found
}

func TestTheTitleThatWasTypedComesFirst(t *testing.T) {
	s := start(t)
	items := append(shelf(), item("toner-35", "Toner CB335WN", "Office > Ink"), item("toner-36", "Toner CB336WN", "Office > Ink"))
	s.upsert(items...)
	// Somebody whose taste is gardens is still shown the pen they ask for.
	s.applied(s.write(view("1", "u", "garden-1"), view("2", "u", "garden-2")).WriteToken)
	for _, it := range items {
		for _, query := range []string{it.Title, strings.ToUpper(it.Title)} {
			reply := s.search(query, func(r *kindredv1.SearchItemsRequest) { r.Subject = user("u") })
			if reply.Items[0].ItemId != it.Id {
				t.Errorf("%q finds %v", query, ids(reply.Items)[:3])
			}
		}
	}
}

func TestSearchForgivesTyposAndEndsWords(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for query, want := range map[string]string{
		"fuontain":    "pen-4",
		"shovle":      "garden-3",
		"fount":       "pen-4",
		"prun":        "garden-4",
		"watering ca": "garden-2",
		"ball":        "pen-3",
	} {
		if reply := s.search(query); reply.Items[0].ItemId != want || byWord(reply)[0] != want {
			t.Errorf("%q finds %v, by words %v", query, ids(reply.Items)[:3], byWord(reply))
		}
	}
	if got := byWord(s.search("fount ")); got != nil {
		t.Errorf("a word that is ended goes on: %v", got)
	}
}

func TestSearchFindsOnlyWhatMayBeShownUnderItsPresentName(t *testing.T) {
	s := start(t)
	rows := shelf()
	for _, id := range []string{"gone", "hidden", "sold-out", "disliked", "renamed"} {
		rows = append(rows, item(id, "Zeppelin "+id, "Toys"))
	}
	s.upsert(rows...)
	if got := byWord(s.search("zeppelin")); len(got) != 5 {
		t.Fatalf("before: %v", got)
	}
	must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"gone"}}))
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: "hidden", Hidden: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"hidden"}}},
		{Id: "sold-out", Stock: proto.Int64(0), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}},
	}}))
	s.upsert(item("renamed", "Dirigible", "Toys"))
	s.applied(s.write(act("1", "u", hide, "disliked")).WriteToken)
	subject := func(r *kindredv1.SearchItemsRequest) { r.Subject = user("u") }
	reply := s.search("zeppelin", subject)
	for _, id := range []string{"gone", "hidden", "sold-out", "disliked"} {
		if has(reply.Items, id) {
			t.Errorf("%s is found", id)
		}
	}
	if got := byWord(reply); got != nil {
		t.Errorf("by the old name: %v", got)
	}
	if got := byWord(s.search("dirigible", subject)); !slices.Equal(got, []string{"renamed"}) {
		t.Errorf("by the new name: %v", got)
	}
	// Back on sale: a patch does not touch the words.
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: "sold-out", Stock: proto.Int64(3), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}},
	}}))
	if got := byWord(s.search("zeppelin", subject)); !slices.Equal(got, []string{"sold-out"}) {
		t.Errorf("back on sale: %v", got)
	}
}

func TestSearchReadsBrandTagsCategoriesAndDescription(t *testing.T) {
	s := start(t)
	it := item("it", "Thing", "Haberdashery > Zippers")
	it.Brand, it.Tags, it.Description = "Quux", []string{"giftable"}, "Made of wolframite."
	s.upsert(append(shelf(), it)...)
	for _, query := range []string{"quux", "giftable", "haberdashery", "zippers", "wolframite"} {
		if reply := s.search(query); reply.Items[0].ItemId != "it" {
			t.Errorf("%q finds %v", query, ids(reply.Items)[:3])
		}
	}
}

func TestAFilteredSearchDoesNotStarve(t *testing.T) {
	s := start(t)
	var rows []*kindredv1.Item
	for i := range 1500 { // many more matches than a search ranks
		it := item(fmt.Sprint("bolt-", i), "Steel bolt", "Hardware")
		it.Stock = proto.Int64(0)
		if i%500 == 499 {
			it.Stock, it.Brand = proto.Int64(5), "Acme"
		}
		rows = append(rows, it)
	}
	for batch := range slices.Chunk(rows, 500) {
		s.upsert(batch...)
	}
	for _, filter := range []string{"", "brand == 'Acme'"} {
		reply := s.search("steel bolt", func(r *kindredv1.SearchItemsRequest) { r.Filter, r.Limit = filter, 10 })
		if got := byWord(reply); !slices.Equal(got, []string{"bolt-499", "bolt-999", "bolt-1499"}) || len(reply.Items) != 3 {
			t.Errorf("filter %q: %v, want the three that are in stock", filter, ids(reply.Items))
		}
	}
	if reply := s.search("steel bolt", func(r *kindredv1.SearchItemsRequest) { r.Filter = "brand == 'Other'" }); len(reply.Items) != 0 {
		t.Errorf("%v", ids(reply.Items))
	}
}

// away is the embedded encoder, which fails for the text "fail me" and, where the context
// allows, never answers for "stall me".
type away struct{ embed.Encoder }

func (a away) Immediate() bool { return true }

func (a away) Encode(ctx context.Context, texts []string, out []float32) error {
	switch {
	case len(texts) == 1 && strings.HasPrefix(texts[0], "fail"):
		return errors.New("out of order")
	case len(texts) == 1 && strings.HasPrefix(texts[0], "stall"):
		<-ctx.Done()
		return ctx.Err()
	}
	return a.Encoder.Encode(ctx, texts, out)
}

func TestSearchWithoutItsEncoderGoesByWords(t *testing.T) {
	inner, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *service.Config) {
		c.Shop.Encoder, c.Shop.SearchEncodeTimeout = away{inner}, 20*time.Millisecond
		c.Log = slog.New(slog.DiscardHandler)
	})
	s.upsert(shelf()...)
	for query, why := range map[string]string{"fail garden hose": "failed", "stall garden hose": "within 20ms"} {
		reply := s.search(query)
		if reply.Items[0].ItemId != "garden-1" || len(byWord(reply)) != len(reply.Items) {
			t.Errorf("%q finds %v", query, ids(reply.Items))
		}
		contains(t, reply.Method, "lexical: ")
		contains(t, reply.Method, why)
	}
	reply := s.search("fail xyzzy")
	if len(reply.Items) != 0 {
		t.Errorf("%v", ids(reply.Items))
	}
	contains(t, reply.Method, "nothing: ")
	if reply := s.search("garden hose"); reply.Method != "lexical and text vector" {
		t.Errorf("with its encoder: %q", reply.Method)
	}
	if reply := s.search("🦆"); reply.Method == "" {
		t.Error("no word is known, and the method does not say so")
	}
}

func TestSearchReadsItsWrites(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for i := range 20 {
		name := fmt.Sprint("gizmo", i)
		reply := must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item("new", name, "Toys")}}))
		found := s.search(name, func(r *kindredv1.SearchItemsRequest) {
			r.MinWriteToken, r.MaxWait = reply.WriteToken, durationpb.New(2*time.Second)
		})
		if found.Info.Lag != 0 || !slices.Equal(byWord(found), []string{"new"}) {
			t.Fatalf("lag %d, %q finds %v", found.Info.Lag, name, byWord(found))
		}
	}
	_, err := s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "a", MinWriteToken: "nonsense"})
	refused(t, err, "min_write_token")
}

func TestSearchFindsTheSameAfterARestartAndARefresh(t *testing.T) {
	s := start(t)
	small := s.upload()
	// A history that a restart does not have.
	for i, it := range small.Items {
		if i%3 == 0 {
			renamed := proto.Clone(it).(*kindredv1.Item)
			renamed.Title = "Something else entirely"
			s.upsert(renamed)
			s.upsert(it)
		}
	}
	must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{small.Items[1].Id}}))
	s.upsert(small.Items[2])
	answers := func() (all []string) {
		for i := 3; i < len(small.Items); i += 7 {
			words := strings.Fields(small.Items[i].Title)
			for _, it := range s.search(words[len(words)-1] + " " + words[0]).Items {
				all = append(all, fmt.Sprintf("%s %.9g", it.ItemId, it.Score))
			}
		}
		return all
	}
	want := answers()
	if again := answers(); !slices.Equal(again, want) {
		t.Error("asked again, the answers differ")
	}
	must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
	if got := answers(); !slices.Equal(got, want) {
		t.Error("after a refresh the answers differ")
	}
	s.restart()
	if got := answers(); !slices.Equal(got, want) {
		t.Error("after a restart the answers differ")
	}
}

func TestSearchWhileItemsChangeFindsEachUnderItsLastName(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	var writing sync.WaitGroup
	for w := range 3 {
		writing.Go(func() {
			for i := range 30 {
				id, name := fmt.Sprint("w", w), fmt.Sprintf("writer%dversion%d", w, i)
				reply, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item(id, name, "Toys")}})
				if err != nil {
					t.Error(err)
					return
				}
				found, err := s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{
					Query: name, Limit: 1, MinWriteToken: reply.WriteToken, MaxWait: durationpb.New(2 * time.Second),
				})
				if err != nil || len(found.Items) != 1 || found.Items[0].ItemId != id {
					t.Errorf("%s: %v %v", name, found, err)
				}
				if i == 15 {
					must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
				}
			}
		})
	}
	writing.Wait()
	for w := range 3 {
		if got := byWord(s.search(fmt.Sprintf("writer%dversion29 ", w))); !slices.Equal(got, []string{fmt.Sprint("w", w)}) {
			t.Errorf("writer %d: %v", w, got)
		}
	}
}

func TestSearchTextsOfAllKinds(t *testing.T) {
	s := start(t)
	s.upsert(append(shelf(), item("rtl", "عطر الورد", "Beauty"), item("zh", "中国钢笔墨水", "办公"), item("party", "Party hat 🎉", "Party"))...)
	for query, want := range map[string]string{"الورد": "rtl", "钢笔": "zh", "🎉": "party"} {
		if got := byWord(s.search(query)); !slices.Equal(got, []string{want}) {
			t.Errorf("%q finds %v by words", query, got)
		}
	}
	for _, query := range []string{" ", "!?", "\u202e\u200d", strings.Repeat("a ", 512), strings.Repeat("é", 512), "\x00"} {
		if reply := s.search(query); reply.Method == "" {
			t.Errorf("%.20q: no method", query)
		}
	}
	for _, query := range []string{"", strings.Repeat("pen ", 25_000)} {
		_, err := s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: query})
		contains(t, refused(t, err, "query"), "1024")
	}
	raw := append(protowire.AppendTag(nil, 1, protowire.BytesType), "\x05caf\xe9!"...)
	var reply []byte
	err := s.conn.Invoke(ctx(t), kindredv1.RecommendationService_SearchItems_FullMethodName, raw, &reply, grpc.ForceCodec(rawCodec{}))
	contains(t, refused(t, err, "query"), "UTF-8")
}
