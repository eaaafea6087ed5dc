package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// freshInterest is the department that the regular discovers.
const freshInterest = "Outdoors"

// The people of the story who are in no log. The addresses of the story name them, so that they can be asked about later.
const (
	guestSession = "guest-today"
	newUser      = "ben"
)

const (
	view = kindredv1.EventType_EVENT_TYPE_VIEW
	cart = kindredv1.EventType_EVENT_TYPE_ADD_TO_CART
	like = kindredv1.EventType_EVENT_TYPE_LIKE
)

func (t *teller) regular(ctx context.Context) error {
	u := t.shop.regular(freshInterest)
	if u == nil {
		return fmt.Errorf("demo: every one of %d users knows %s already: use another seed or more users", len(t.shop.Users), freshInterest)
	}
	t.heading(fmt.Sprintf("1  %s, a regular (user %s)", u.Name, u.ID))
	t.paragraph("Likes " + u.Taste() + ".")
	var lately []string
	for _, s := range t.shop.lately(u.ID, 2) {
		verb := "looked at "
		if s.kind == kindredv1.EventType_EVENT_TYPE_PURCHASE {
			verb = "bought "
		}
		lately = append(lately, verb+s.item.GetTitle())
	}
	t.paragraph("Lately " + strings.Join(lately, "; ") + ".")
	t.paragraph("Today a camping trip is coming up, which is new.")
	return t.act(ctx, request(&kindredv1.Subject{UserId: u.ID}, t.outcome.Uploaded.WriteToken), u.Name, func([]*kindredv1.RecommendedItem) []step {
		return []step{
			{view, t.shop.pickItem("Tents", 0)},
			{view, t.shop.pickItem("Tents", 1)},
			{cart, t.shop.pickItem("Sleeping bags and mats", 0)},
		}
	})
}

func (t *teller) anonymous(ctx context.Context) error {
	anchor := t.shop.anchor(freshInterest)
	if anchor == nil {
		return fmt.Errorf("demo: none of %d users bought two things that go together: use another seed or more users", len(t.shop.Users))
	}
	t.anchor = anchor
	t.heading("2  Somebody without a name (session " + guestSession + ")")
	t.paragraph("Comes from a search engine to the page of " + anchor.GetTitle() + ". Nothing else is known.")
	ask := request(&kindredv1.Subject{SessionId: guestSession}, t.outcome.Uploaded.WriteToken)
	ask.Surface, ask.ContextItemIds = "product", []string{anchor.GetId()}
	next := shelfNamed(shelfOf(anchor)).then[0]
	return t.act(ctx, ask, "the visitor", func([]*kindredv1.RecommendedItem) []step {
		return []step{{view, anchor}, {view, t.shop.pickItem(next, 1)}, {cart, t.shop.pickItem(next, 0)}}
	})
}

func (t *teller) newcomer(ctx context.Context) error {
	t.heading("3  Ben, new today (user " + newUser + ")")
	t.paragraph("Has just made an account: there is no event of his yet.")
	return t.act(ctx, request(&kindredv1.Subject{UserId: newUser}, t.outcome.Uploaded.WriteToken), "Ben", func(before []*kindredv1.RecommendedItem) []step {
		var steps []step
		if len(before) > 0 {
			steps = append(steps, step{kindredv1.EventType_EVENT_TYPE_CLICK, before[0].GetItem()})
		}
		return append(steps,
			step{view, t.shop.pickItem("Watercolours", 0)},
			step{like, t.shop.pickItem("Watercolours", 1)})
	})
}

// shelvesChange sells an item out, shows that it is gone, and filters.
func (t *teller) shelvesChange(ctx context.Context) error {
	last := t.outcome.Visits[0]
	if len(last.After.GetItems()) == 0 {
		return fmt.Errorf("demo: %w: nothing is recommended to %s", errBroken, last.Subject.GetUserId())
	}
	t.heading("4  What the shop does counts at once")
	first := last.After.GetItems()[0].GetItem()
	t.outcome.SoldOut = first.GetId()
	token, err := t.setStock(ctx, first.GetId(), proto.Int64(0))
	if err != nil {
		return err
	}
	ask := request(last.Subject, token)
	without, err := t.recommend.Recommend(ctx, ask)
	if err != nil {
		return fmt.Errorf("demo: recommending after a sale: %w", err)
	}
	t.outcome.Without = without
	if slices.ContainsFunc(without.GetItems(), func(it *kindredv1.RecommendedItem) bool { return it.GetItemId() == first.GetId() }) {
		return fmt.Errorf("demo: %w: %s is sold out and still recommended", errBroken, first.GetId())
	}
	t.line("   %s sells out. The next reply:", cut(first.GetTitle(), 60))
	moves, _ := compareLists(last.After.GetItems(), without.GetItems())
	t.list(without.GetItems()[:min(3, len(without.GetItems()))], moves)
	if err := t.whyNot(ctx, ask, first); err != nil {
		return err
	}
	if _, err := t.setStock(ctx, first.GetId(), first.Stock); err != nil {
		return err
	}
	return t.filter(ctx, last.Subject)
}

// whyNot asks the service why an item is missing.
func (t *teller) whyNot(ctx context.Context, ask *kindredv1.RecommendRequest, item *kindredv1.Item) error {
	reply, err := t.recommend.Explain(ctx, &kindredv1.ExplainRequest{Request: ask, ItemIds: []string{item.GetId()}})
	if err != nil {
		return fmt.Errorf("demo: asking why %s is missing: %w", item.GetId(), err)
	}
	if len(reply.GetExplanations()) != 1 || reply.GetExplanations()[0].GetVerdict() != kindredv1.Verdict_VERDICT_OUT_OF_STOCK {
		return fmt.Errorf("demo: %w: asked why the sold-out %s is missing, it says %v", errBroken, item.GetId(), reply.GetExplanations())
	}
	t.line("   Asked why it is missing, the service says: %s.", reply.GetExplanations()[0].GetText())
	return nil
}

// setStock is what a till does. nil: without a limit.
func (t *teller) setStock(ctx context.Context, id string, stock *int64) (token string, err error) {
	reply, err := t.catalog.PatchItems(ctx, &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{{
		Id: id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"stock"}}, Stock: stock,
	}}})
	if err != nil {
		return "", fmt.Errorf("demo: changing the stock of %s: %w", id, err)
	}
	return reply.GetWriteToken(), firstRowError("patch", reply.GetErrors())
}

func (t *teller) filter(ctx context.Context, subject *kindredv1.Subject) error {
	ask := request(subject, "")
	ask.Limit = 3
	ask.Filter = fmt.Sprintf(`price < 30.0 && in_stock && "%s" in categories`, freshInterest)
	reply, err := t.recommend.Recommend(ctx, ask)
	if err != nil {
		return fmt.Errorf("demo: recommending with a filter: %w", err)
	}
	t.outcome.Filter, t.outcome.Filtered = ask.Filter, reply
	t.line("")
	t.line("   For the same person with the filter  %s", t.cyan(ask.Filter))
	t.list(reply.GetItems(), nil)
	return nil
}

// neighbours shows what is like an item, and what goes with it.
func (t *teller) neighbours(ctx context.Context) error {
	t.outcome.Anchor = t.anchor.GetId()
	t.heading("5  Around one item: " + t.anchor.GetTitle())
	for _, ask := range []struct {
		relation kindredv1.Relation
		words    string
		into     **kindredv1.SimilarItemsResponse
	}{
		{kindredv1.Relation_RELATION_SIMILAR, "Similar", &t.outcome.Similar},
		{kindredv1.Relation_RELATION_BOUGHT_TOGETHER, "Bought together", &t.outcome.Together},
	} {
		reply, err := t.recommend.SimilarItems(ctx, &kindredv1.SimilarItemsRequest{
			ItemId: t.anchor.GetId(), Relation: ask.relation, Limit: 3, Seed: 1, Diversity: proto.Float64(0.3), IncludeItems: true,
		})
		if err != nil {
			return fmt.Errorf("demo: asking what is %s: %w", strings.ToLower(ask.words), err)
		}
		*ask.into = reply
		t.line("   %s", t.bold(ask.words))
		t.list(reply.GetItems(), nil)
	}
	return nil
}

// close says what to try next.
func (t *teller) close(context.Context) error {
	if t.opts.Addr == "" {
		return nil
	}
	t.heading("Now you")
	ask := fmt.Sprintf("grpcurl -plaintext -d '{\"subject\":{\"user_id\":\"%s\"},\"limit\":5,\"explain\":true}' \\\n      %s %s",
		t.outcome.Visits[0].Subject.GetUserId(), t.opts.Addr, strings.TrimPrefix(kindredv1.RecommendationService_Recommend_FullMethodName, "/"))
	who := "The service stays"
	if !t.opts.Stays {
		who = "Without --once the service stays"
	}
	t.paragraph(who + ", and answers from this machine without a key. Its schema comes by reflection.")
	t.line("   %s", t.cyan(ask))
	t.line("   List what it offers:      grpcurl -plaintext %s list", t.opts.Addr)
	t.line("   Import your own shop:     go run ./server import --help")
	t.line("   Keep what you import:     go run ./server serve --data DIR")
	return nil
}
