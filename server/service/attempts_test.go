package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// loot is what an attacker holds of another tenant: every id and token there is.
type loot struct {
	tenant, user, session, keyID, secret   string
	item, write, page, list, cursor, reply string
	policy, experiment, imported, model    string
}

// belongings fills a tenant with things and returns its admin and what a thief knows of it.
// What the thief does not know bears secretMark, but for one tenant's.
func belongings(t *testing.T, s *shop, op *client, mark, secretMark string) (*client, loot) {
	t.Helper()
	c := s.tenant(op, mark, kindredv1.Role_ROLE_ADMIN)
	own := shelf()
	for _, it := range own {
		it.Id, it.Title = secretMark+"-"+it.Id, secretMark+" "+it.Title
	}
	own[0].Id = mark + "-pen"
	c.upsert(own...)
	l := loot{tenant: mark, user: mark + "-user", session: mark + "-session", item: own[0].Id, policy: mark + "policy", experiment: mark + "experiment", imported: mark + "-import"}
	l.model = c.uploaded(testModel{Size: 8 + len(mark)})
	imports, err := c.ImportItems(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []*kindredv1.ImportItemsRequest{
		{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{ImportId: l.imported}}},
		{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: []*kindredv1.Item{item(secretMark+"-imported", secretMark+" imported", "Office")}}}},
	} {
		if err := imports.Send(part); err != nil {
			t.Fatal(err)
		}
	}
	must(imports.CloseAndRecv())
	ev := view(secretMark+"-event", l.user, l.item)
	ev.SessionId = l.session
	l.write = c.write(ev, view(secretMark+"-event-2", l.user, own[1].Id)).WriteToken
	c.applied(l.write)
	must(c.policies.PutPolicy(ctx(t), &kindredv1.PutPolicyRequest{Policy: &kindredv1.Policy{Name: l.policy, Note: secretMark}}))
	must(c.trials.PutExperiment(ctx(t), &kindredv1.PutExperimentRequest{Experiment: &kindredv1.Experiment{
		Name: l.experiment, Note: secretMark, Variants: []*kindredv1.Variant{{Name: "control", Share: 0.01}, {Name: "other", Policy: l.policy, Share: 0.01}},
	}}))
	list := c.recommend(&kindredv1.RecommendRequest{Subject: user(l.user), Limit: 2, Paginate: true})
	l.reply, l.page = list.RecommendationId, list.NextPageToken
	l.list = must(c.ListItems(ctx(t), &kindredv1.ListItemsRequest{PageSize: 1})).NextPageToken
	key := must(c.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_FRONTEND, Name: secretMark + "-key"}))
	l.keyID, l.secret = key.Key.Id, key.Secret
	var bulk kindredv1.RecommendationService_RecommendBulkClient
	bulk, err = c.RecommendBulk(ctx(t), &kindredv1.RecommendBulkRequest{Subjects: []*kindredv1.Subject{user(l.user)}})
	for _, m := range all(t, bulk, err) {
		l.cursor = m.Cursor
	}
	if l.page == "" || l.list == "" || l.reply == "" {
		t.Fatalf("nothing to steal: %+v", l)
	}
	return c, l
}

func (l *loot) words() []string {
	return []string{l.tenant, l.user, l.session, l.keyID, l.item, l.write, l.page, l.list, l.cursor, l.reply, l.policy, l.experiment, l.imported, l.model}
}

// TestNoneOfAThousandAttemptsCrossesTenants calls every method as an admin of one tenant with
// another's ids, tokens and cursors in every field that takes text. No reply may tell what the
// thief did not know, and the other tenant must be as it was.
func TestNoneOfAThousandAttemptsCrossesTenants(t *testing.T) {
	s := start(t, withModels(nil))
	op := s.operate()
	victim, prey := belongings(t, s, op, "quagga", "zebra")
	thief, _ := belongings(t, s, op, "magpie", "shiny")
	before := everything(t, victim, prey)
	rng := rand.New(rand.NewPCG(11, 13))
	methods := contractMethods()
	each := 1 + 1500/len(methods)
	attempts, answered := 0, map[codes.Code]int{}
	for range each * len(methods) {
		m := methods[attempts%len(methods)]
		var messages []proto.Message
		for n := 0; n == 0 || m.IsStreamingClient() && n < 3; n++ {
			req := dynamicOf(t, m.Input())
			fill(rng, req.ProtoReflect(), prey.words(), 3)
			messages = append(messages, req)
		}
		call := ctx(t)
		if rng.IntN(4) == 0 { // names the tenant where no field is for it
			call = metadata.AppendToOutgoingContext(call, "tenant", prey.tenant, "x-tenant", prey.tenant, "kindred-tenant", prey.tenant)
		}
		replies, err := invoke(call, thief, m, messages)
		attempts++
		answered[status.Code(err)]++
		for _, reply := range replies {
			if found := leaked(reply); found != "" || strings.Contains(fmt.Sprint(err), "zebra") {
				t.Fatalf("%s answers of the other tenant: %s\nto %s", m.FullName(), found, short(messages))
			}
		}
	}
	if after := everything(t, victim, prey); after != before {
		t.Errorf("the other tenant is not as it was:\n%s\nbefore:\n%s", after, before)
	}
	if answered[codes.OK] == 0 || answered[codes.PermissionDenied] == 0 || answered[codes.NotFound] == 0 || answered[codes.InvalidArgument] == 0 {
		t.Errorf("the attempts are too much alike: %v", answered)
	}
	if attempts < 1000 || len(methods) < 45 {
		t.Errorf("%d attempts on %d methods: want a thousand, on all", attempts, len(methods))
	}
	t.Logf("%d attempts on %d methods: %v", attempts, len(methods), answered)
	// What belongs to the other tenant's kind of caller: a stolen handle, a cut secret.
	for i := range 200 {
		forged := prey.secret[:len(prey.secret)-1-rng.IntN(8)]
		for len(forged) < len(prey.secret) {
			forged += string("abcdefghijklmnopqrstuvwxyz234567"[rng.IntN(32)])
		}
		if forged == prey.secret {
			continue
		}
		_, err := dial(t, s.service.Addr(), forged).Recommend(ctx(t), &kindredv1.RecommendRequest{})
		if status.Code(err) != codes.Unauthenticated {
			t.Fatalf("forged key %d: %v", i, err)
		}
	}
}

// leaked returns a part of a reply that bears the mark of what the thief does not know.
func leaked(reply proto.Message) (found string) {
	texts(reply.ProtoReflect(), func(s string) {
		if strings.Contains(s, "zebra") {
			found = s
		}
	})
	return found
}

// texts gives every text of a message.
func texts(m protoreflect.Message, each func(string)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		one := func(f protoreflect.FieldDescriptor, v protoreflect.Value) {
			switch f.Kind() {
			case protoreflect.StringKind:
				each(v.String())
			case protoreflect.MessageKind:
				texts(v.Message(), each)
			}
		}
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				if f.MapKey().Kind() == protoreflect.StringKind {
					each(k.String())
				}
				one(f.MapValue(), v)
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				one(f, v.List().Get(i))
			}
		default:
			one(f, v)
		}
		return true
	})
}

// fill puts stolen words into a message's texts and small values into the rest.
func fill(rng *rand.Rand, m protoreflect.Message, words []string, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.IsMap() || rng.IntN(3) == 0 || f.Kind() == protoreflect.MessageKind && depth == 0 {
			continue
		}
		if f.Kind() == protoreflect.MessageKind && f.Message().FullName().Parent() == "google.protobuf" {
			continue
		}
		value := func() (protoreflect.Value, bool) { return scalar(rng, f, words) }
		switch {
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			fill(rng, m.Mutable(f).List().AppendMutable().Message(), words, depth-1)
		case f.IsList():
			if v, ok := value(); ok {
				m.Mutable(f).List().Append(v)
			}
		case f.Kind() == protoreflect.MessageKind:
			fill(rng, m.Mutable(f).Message(), words, depth-1)
		default:
			if v, ok := value(); ok {
				m.Set(f, v)
			}
		}
	}
}

func scalar(rng *rand.Rand, f protoreflect.FieldDescriptor, words []string) (protoreflect.Value, bool) {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(words[rng.IntN(len(words))]), true
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rng.IntN(2) == 0), true
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rng.IntN(f.Enum().Values().Len()))), true
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rng.Int32N(5)), true
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rng.Int64N(5)), true
	}
	return protoreflect.Value{}, false
}

func dynamicOf(t testing.TB, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// invoke calls a method with messages, of which one that takes a single message has one, and returns what came until its end or
// error.
func invoke(call context.Context, c *client, m protoreflect.MethodDescriptor, messages []proto.Message) ([]proto.Message, error) {
	call, cancel := context.WithTimeout(call, 30*time.Second)
	defer cancel()
	stream, err := c.conn.NewStream(call, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()))
	if err != nil {
		return nil, err
	}
	for _, req := range messages {
		if err := stream.SendMsg(req); err != nil {
			break // the reason comes with the reply
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	var replies []proto.Message
	for {
		reply := dynamicOf(c.t, m.Output())
		err := stream.RecvMsg(reply)
		if errors.Is(err, io.EOF) {
			return replies, nil
		}
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
}

// everything is what a tenant's own admin sees of it, as text.
func everything(t *testing.T, c *client, l loot) string {
	t.Helper()
	text := ""
	for _, m := range []proto.Message{
		must(c.ListItems(ctx(t), &kindredv1.ListItemsRequest{PageSize: 1000})),
		must(c.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user(l.user)})),
		must(c.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Tenant,
		must(c.admin.ListKeys(ctx(t), &kindredv1.ListKeysRequest{})),
		must(c.policies.ListPolicies(ctx(t), &kindredv1.ListPoliciesRequest{})),
		must(c.trials.ListExperiments(ctx(t), &kindredv1.ListExperimentsRequest{})),
		must(c.models.ListModels(ctx(t), &kindredv1.ListModelsRequest{})),
	} {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%T %x\n", m, raw)
	}
	for _, e := range c.exported() {
		text += e.Id + " "
	}
	return text
}
