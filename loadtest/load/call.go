package load

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// check makes one empty call over connection i.
func (c *Client) check(ctx context.Context, i int) error {
	return c.conns[i].Invoke(ctx, healthpb.Health_Check_FullMethodName, &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
}

var methods = [kinds]string{
	KindRecommend: kindredv1.RecommendationService_Recommend_FullMethodName,
	KindEvent:     kindredv1.EventService_WriteEvents_FullMethodName,
	KindSimilar:   kindredv1.RecommendationService_SimilarItems_FullMethodName,
	KindSearch:    kindredv1.RecommendationService_SearchItems_FullMethodName,
	KindRank:      kindredv1.RecommendationService_RankItems_FullMethodName,
	KindPatch:     kindredv1.CatalogService_PatchItems_FullMethodName,
	KindAdd:       kindredv1.CatalogService_UpsertItems_FullMethodName,
	KindEmpty:     healthpb.Health_Check_FullMethodName,
}

var actTypes = [acts]kindredv1.EventType{
	actView:     kindredv1.EventType_EVENT_TYPE_VIEW,
	actClick:    kindredv1.EventType_EVENT_TYPE_CLICK,
	actLike:     kindredv1.EventType_EVENT_TYPE_LIKE,
	actCart:     kindredv1.EventType_EVENT_TYPE_ADD_TO_CART,
	actPurchase: kindredv1.EventType_EVENT_TYPE_PURCHASE,
}

// itemsPerRank is how many items a Rank call brings.
const itemsPerRank = 50

// caller makes calls for one worker, one at a time. Its request messages are made once and changed in place, which is safe
// since gRPC has encoded a request, and without retries let go of it, when a call returns.
type caller struct {
	conn   *grpc.ClientConn
	people Population
	items  []Item
	limit  int32
	// unique begins the ids of events and new items, so that two runs never write one; sent counts on.
	unique string
	sent   uint64

	recommend kindredv1.RecommendRequest
	event     kindredv1.WriteEventsRequest
	similar   kindredv1.SimilarItemsRequest
	search    kindredv1.SearchItemsRequest
	rank      kindredv1.RankItemsRequest
	patch     kindredv1.PatchItemsRequest
	add       kindredv1.UpsertItemsRequest
	page      [1]string // context of a session's Recommend
	reply     reply
}

func newCaller(conn *grpc.ClientConn, people Population, items []Item, limit int, unique string) *caller {
	c := &caller{conn: conn, people: people, items: items, limit: int32(limit), unique: unique}
	c.recommend.Subject, c.recommend.Limit = &kindredv1.Subject{}, c.limit
	c.event.Events = []*kindredv1.Event{{}}
	c.add.Items = []*kindredv1.Item{{}}
	c.similar.Limit = c.limit
	c.search.Subject, c.search.Limit = &kindredv1.Subject{}, c.limit
	c.rank.Subject, c.rank.Limit = &kindredv1.Subject{}, c.limit
	c.rank.ItemIds = make([]string, 0, itemsPerRank)
	c.patch.Patches = []*kindredv1.ItemPatch{{
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}, Stock: new(int64)}}
	return c
}

// call makes the call of an arrival and leaves the answer in c.reply.
func (c *caller) call(ctx context.Context, a arrival) error {
	c.reply.layout = layouts[a.kind]
	return c.conn.Invoke(ctx, methods[a.kind], c.request(a), &c.reply)
}

func (c *caller) request(a arrival) proto.Message {
	switch a.kind {
	case KindEvent:
		e := c.event.Events[0]
		c.sent++
		e.Id = c.unique + strconv.FormatUint(c.sent, 36)
		e.UserId, e.ItemId, e.Type = c.people.id(a.user), c.items[a.item].ID, actTypes[a.act]
		return &c.event
	case KindSimilar:
		c.similar.ItemId = c.items[a.item].ID
		return &c.similar
	case KindSearch:
		c.search.Query, c.search.Subject.UserId = words(c.items[a.item]), c.people.id(a.user)
		return &c.search
	case KindRank:
		c.rank.ItemIds, c.rank.Subject.UserId = someItems(c.rank.ItemIds[:0], c.items, a), c.people.id(a.user)
		return &c.rank
	case KindPatch:
		p := c.patch.Patches[0]
		p.Id = c.items[a.item].ID
		*p.Stock = int64(a.seed%1000) + 1
		return &c.patch
	case KindAdd:
		c.sent++
		it := c.add.Items[0]
		it.Id = c.unique + "item-" + strconv.FormatUint(c.sent, 36)
		it.Title = c.items[a.item].Title // of the catalog's own kind, so that its text costs what theirs costs
		return &c.add
	case KindEmpty:
		return emptyRequest
	default:
		c.recommend.Subject.UserId, c.recommend.ContextItemIds = c.people.id(a.user), nil
		if a.page {
			c.page[0] = c.items[a.item].ID
			c.recommend.ContextItemIds = c.page[:]
		}
		return &c.recommend
	}
}

// words is a search text: the first three words of a title, or the id where there is no title.
func words(it Item) string {
	rest := it.Title
	for range 3 {
		i := strings.IndexByte(rest, ' ')
		if i < 0 {
			rest = ""
			break
		}
		rest = rest[i+1:]
	}
	text := strings.TrimSpace(strings.TrimSuffix(it.Title, rest))
	if text == "" {
		return it.ID
	}
	if len(text) > maxQueryBytes {
		return it.ID
	}
	return text
}

// maxQueryBytes is the longest search text that the service takes.
const maxQueryBytes = 1024

// someItems appends up to itemsPerRank distinct items, the arrival's own first, then evenly over the catalog.
func someItems(ids []string, items []Item, a arrival) []string {
	n := min(itemsPerRank, len(items))
	step := len(items) / n
	for i := range n {
		ids = append(ids, items[(int(a.item)+i*step)%len(items)].ID)
	}
	return ids
}
