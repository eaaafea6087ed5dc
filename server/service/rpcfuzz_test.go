package service_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var (
	fuzzCalls = flag.Int("rpcfuzz.calls", 2000, "calls of TestRandomCallsOfEveryRole")
	fuzzFor   = flag.Duration("rpcfuzz.for", 0, "make calls for so long instead")
	fuzzSeed  = flag.Uint64("rpcfuzz.seed", 1, "seed of its messages")
)

// ownFaults are codes that blame the service, or say nothing. No message of a caller may cause one.
var ownFaults = map[codes.Code]bool{
	codes.Internal: true, codes.Unknown: true, codes.DataLoss: true, codes.Unimplemented: true, codes.DeadlineExceeded: true,
}

// TestRandomCallsOfEveryRole calls every method of the contract, as its descriptors have it, with random messages and keys of
// each role. The log of the harness fails the test where the service says that it went wrong, as of a panic.
// server/api's FuzzRequests is the native fuzz target over the methods of the open service.
func TestRandomCallsOfEveryRole(t *testing.T) {
	before := runtime.NumGoroutine()
	s := start(t)
	op := s.operate()
	keys := fuzzedShop(t, s, op)
	methods := contractMethods()
	conn := dial(t, s.service.Addr(), "").conn
	baseline := settled(math.MaxInt)

	w := &wild{rng: rand.New(rand.NewPCG(*fuzzSeed, 7))}
	answered := map[string]int{} // calls by method
	accepted := map[string]int{} // of those, without an error
	end := time.Now().Add(*fuzzFor)
	for n := 0; *fuzzFor > 0 && time.Now().Before(end) || *fuzzFor == 0 && n < *fuzzCalls; n++ {
		method := methods[n%len(methods)]
		name := string(method.FullName())
		role := fuzzAdmin // every other round, for the others may call few methods
		if round := n / len(methods); round%2 == 0 {
			role = round / 2 % len(keys)
		}
		sent, err := w.call(t, conn, method, keys[role])
		answered[name]++
		got := status.Convert(err)
		switch {
		case err == nil:
			accepted[name]++
		case ownFaults[got.Code()] || got.Code() > codes.Unauthenticated:
			t.Errorf("call %d, %s with key %d: %v to %s", n, name, role, err, short(sent))
		case got.Message() == "":
			t.Errorf("call %d, %s: %v without a message to %s", n, name, got.Code(), short(sent))
		}
		if t.Failed() && *fuzzFor == 0 {
			t.Fatalf("repeat with -rpcfuzz.seed %d", *fuzzSeed)
		}
	}
	if *fuzzFor == 0 && *fuzzCalls < len(methods) {
		t.Fatalf("%d calls for %d methods", *fuzzCalls, len(methods))
	}
	for _, method := range methods {
		if answered[string(method.FullName())] == 0 {
			t.Errorf("%s was never called", method.FullName())
		}
	}
	if len(accepted) < len(methods)/2 {
		t.Errorf("only %d of %d methods took any message: the messages are too wild to get past the checks", len(accepted), len(methods))
	}
	t.Logf("%d methods, some message taken by %d", len(methods), len(accepted))
	if _, err := op.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u")}); err != nil {
		t.Errorf("after all: %v", err)
	}
	if now := settled(baseline + 8); now > baseline+8 {
		t.Errorf("%d goroutines, %d before the calls:\n%s", now, baseline, stacks())
	}
	s.stop()
	conn.Close()
	op.conn.Close()
	if now := settled(before + 8); now > before+8 {
		t.Errorf("%d goroutines after the stop, %d before the start:\n%s", now, before, stacks())
	}
}

// fuzzedShop fills a shop with what messages name, and makes a key of each role, for the operator's tenant and another.
func fuzzedShop(t *testing.T, s *shop, op *client) (keys []string) {
	t.Helper()
	for _, name := range wildNames { // now, so that calls add none and goroutines can be compared
		if _, err := op.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: name}}); ownFaults[status.Code(err)] {
			t.Errorf("tenant %q: %v", name, err)
		}
	}
	op.upsert(shelf()...)
	op.applied(op.write(view("1", "u", "pen-1"), view("2", "s", "garden-1")).WriteToken)
	for _, tenant := range []string{"", "other"} {
		for _, role := range []kindredv1.Role{
			kindredv1.Role_ROLE_FRONTEND, kindredv1.Role_ROLE_MERCHANT, kindredv1.Role_ROLE_SCIENTIST,
			kindredv1.Role_ROLE_ADMIN, kindredv1.Role_ROLE_ADMIN, kindredv1.Role_ROLE_BROWSER,
		} {
			req := &kindredv1.CreateKeyRequest{Tenant: tenant, Role: role}
			if role == kindredv1.Role_ROLE_BROWSER {
				req.Origins = []string{wildOrigin}
			}
			keys = append(keys, must(op.admin.CreateKey(ctx(t), req)).Secret)
		}
	}
	return append(keys, "", "kindred_none")
}

// fuzzAdmin is the place of an admin of the first tenant among the keys of fuzzedShop.
const fuzzAdmin = 3

const wildOrigin = "https://shop.example"

// contractMethods are all but those of the encoder's worker, which is another program.
func contractMethods() (list []protoreflect.MethodDescriptor) {
	protoregistry.GlobalFiles.RangeFilesByPackage("kindred.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			if service.Name() == "EmbeddingService" {
				continue
			}
			for k := range service.Methods().Len() {
				list = append(list, service.Methods().Get(k))
			}
		}
		return true
	})
	slices.SortFunc(list, func(a, b protoreflect.MethodDescriptor) int { // files come in no order, and a seed must say it all
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})
	return list
}

// settled waits until no more goroutines than a bound are left, or they change no more.
func settled(bound int) int {
	last := runtime.NumGoroutine()
	for same, tries := 0, 0; last > bound && tries < 300 || same < 5 && tries < 100; tries++ {
		time.Sleep(50 * time.Millisecond)
		now := runtime.NumGoroutine()
		if now == last {
			same++
		} else {
			same = 0
		}
		last = now
	}
	return last
}

func stacks() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
}

func short(sent []proto.Message) string {
	var b strings.Builder
	for _, m := range sent {
		fmt.Fprintf(&b, "%s; ", prototext.MarshalOptions{Multiline: false}.Format(m))
	}
	if b.Len() > 3000 {
		return b.String()[:3000] + "…"
	}
	return b.String()
}

// wild makes random messages.
type wild struct {
	rng *rand.Rand
	// tame messages hold nothing that some field refuses by itself, so that calls get past the checks; what their fields say
	// together may still be refused.
	tame bool
}

func (w *wild) one(in int) bool { return w.rng.IntN(in) == 0 }

// asBytes sends bytes as they are, so that broken messages can be sent too.
type asBytes struct{}

func (asBytes) Name() string                  { return "proto" }
func (asBytes) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (asBytes) Unmarshal([]byte, any) error   { return nil }

// call sends one message, or some to a method that takes a stream, and reads all replies or, now and then, leaves early.
func (w *wild) call(t *testing.T, conn *grpc.ClientConn, method protoreflect.MethodDescriptor, key string) (sent []proto.Message, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "origin", wildOrigin)
	if key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()), grpc.ForceCodec(asBytes{}))
	if err != nil {
		return nil, err
	}
	for n := 1; n > 0; n-- {
		message, raw := w.message(t, method.Input())
		sent = append(sent, message)
		if stream.SendMsg(raw) != nil {
			break // the reason comes with the reply
		}
		if method.IsStreamingClient() && len(sent) < 4 && w.one(2) {
			n++
		}
	}
	if err := stream.CloseSend(); err != nil {
		return sent, err
	}
	early := w.one(20)
	for {
		var reply []byte
		if err := stream.RecvMsg(&reply); errors.Is(err, io.EOF) || err == nil && early {
			return sent, nil
		} else if err != nil {
			return sent, err
		}
	}
}

// message makes a message and its bytes: one in two is tame, and of the others one in ten is damaged.
func (w *wild) message(t *testing.T, d protoreflect.MessageDescriptor) (proto.Message, []byte) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	m := kind.New()
	w.tame = w.one(2)
	w.fill(m, 5)
	raw, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m.Interface())
	if err != nil {
		t.Fatalf("%s: %v", d.FullName(), err)
	}
	if len(raw) > 0 && !w.tame && w.one(10) {
		raw[w.rng.IntN(len(raw))] ^= byte(1 << w.rng.IntN(8))
	}
	return m.Interface(), raw
}

// fill sets about half of the fields, down to a depth, and in a tame message what says which thing is meant.
func (w *wild) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() != nil && depth == 0 || w.one(2) && (!w.tame || f.Kind() == protoreflect.BoolKind || w.one(4)) {
			continue
		}
		switch {
		case f.IsMap():
			for range w.few() {
				m.Mutable(f).Map().Set(protoreflect.ValueOfString(w.text(f)).MapKey(), w.value(f.MapValue(), m.NewField(f).Map().NewValue, depth))
			}
		case f.IsList():
			n := w.few()
			if !w.tame && w.one(40) { // past a bound, and no deeper than one list: memory is the test's too
				n, depth = 1001+w.rng.IntN(200), 1
			}
			list := m.Mutable(f).List()
			for range n {
				list.Append(w.value(f, list.NewElement, depth))
			}
		default:
			m.Set(f, w.value(f, func() protoreflect.Value { return m.NewField(f) }, depth))
		}
	}
}

func (w *wild) few() int { return []int{0, 1, 1, 1, 2, 3}[w.rng.IntN(6)] }

func any1[T any](w *wild, list ...T) T { return list[w.rng.IntN(len(list))] }

func (w *wild) value(f protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	now := time.Now().Unix()
	if w.tame {
		if v, ok := w.tameValue(f); ok {
			return v
		}
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(w.text(f))
	case protoreflect.BytesKind:
		b := make([]byte, any1(w, 0, 1, 100, 70_000))
		for i := range b {
			b[i] = byte(w.rng.Uint32())
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(w.one(3))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(any1[int32](w, 0, 1, 1, 2, 2, 3, 4, 7, 99, -1, math.MaxInt32, math.MinInt32)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(any1[int32](w, 0, 1, 1, 3, 10, 10, 1001, -1, math.MaxInt32, math.MinInt32))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(any1(w, 0, 1, 1, 5, now, now, now, -1, math.MaxInt64, math.MinInt64))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(any1[uint32](w, 0, 1, 2, math.MaxUint32))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(any1(w, 0, 1, w.rng.Uint64(), math.MaxUint64))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(any1(w, 0, 1, 0.5, 0.5, -1, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32, 1e-45))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(any1(w, 0, 1, 0.5, 0.5, 0.3, -1, math.NaN(), math.Inf(-1), math.MaxFloat64, -math.SmallestNonzeroFloat64))
	default:
		value := empty()
		w.fill(value.Message(), depth-1)
		return value
	}
}

// tameValue is one that most fields take, false for messages and for strings, which text makes.
func (w *wild) tameValue(f protoreflect.FieldDescriptor) (protoreflect.Value, bool) {
	if m := f.Message(); m != nil && !f.IsMap() && m.FullName() == "google.protobuf.Duration" {
		length := durationpb.New(any1(w, time.Second, time.Hour, 24*time.Hour))
		return protoreflect.ValueOfMessage(length.ProtoReflect()), true
	}
	switch f.Kind() {
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("kindred")), true
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(w.rng.IntN(values.Len())).Number()), true
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(any1[int32](w, 0, 1, 2, 10)), true
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(any1(w, 1, 10, time.Now().Unix())), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(any1[uint32](w, 0, 1, 2)), true
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(any1[uint64](w, 0, 1, 2)), true
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(any1[float32](w, 0, 0.5, 1)), true
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(any1(w, 0, 0.3, 0.5, 1)), true
	}
	return protoreflect.Value{}, false
}

// wildNames are what tenants and other named things are called.
var wildNames = []string{"default", "other", "home", "size", "x"}

// text suits the name of a field, or one time in six does not. It is always UTF-8, as a client's library sees to; the damage in
// message makes what is not.
func (w *wild) text(f protoreflect.FieldDescriptor) string {
	if !w.tame && w.one(6) {
		return any1(w, "", " ", "\x00", "\x00\x00a", strings.Repeat("y", 129), strings.Repeat("é", 5000), "a\nb", "'\"`)(%s%n", "../../etc/passwd",
			"\u202e", "\ufeff", "cafe\u0301", "\U0010ffff", "-1", "NaN", "$", "{}", "<script>")
	}
	switch f.Name() {
	case "filter":
		if w.tame {
			return any1(w, "", "in_stock", "price < 5.0")
		}
		return any1(w, "price < 5.0", "in_stock && 'A' in categories", "price <", strings.Repeat("(", 300), strings.Repeat("!", 3000)+"true",
			"title.startsWith('P')", "tags.exists(t, t == 'x')", "price / 0.0 > 1.0", "stock > 9223372036854775807", "size(title) > 1",
			"'a' in ["+strings.Repeat("'b',", 500)+"'c']", "title.matches('(a+)+$')", "true ? 1 : 2", "attributes.size == null", "[1][9] == 1")
	case "currency_code":
		if w.tame {
			return "EUR"
		}
		return any1(w, "EUR", "EUR", "USD", "eur")
	case "paths":
		if w.tame {
			return any1(w, "price", "stock", "hidden", "title")
		}
		return any1(w, "price", "stock", "hidden", "available_from", "title", "retention", "currency_code", "*", "nothing.such")
	case "name", "tenant", "policy", "surface", "experiment":
		return any1(w, wildNames...)
	case "hash":
		return any1(w, strings.Repeat("a", 64), strings.Repeat("0", 6), "pen")
	case "user_id":
		return any1(w, "u", "s", "new")
	case "session_id":
		return any1(w, "sess", "0123456789012345678901")
	case "page_token", "min_write_token", "after_write_token", "write_token":
		if w.tame {
			return ""
		}
		return any1(w, "", "", "AAAAAQAAAAAAAAABAAAAAAAAAAE", "YQ", strings.Repeat("A", 64))
	}
	return any1(w, "pen-1", "garden-1", "pen-2", "a", "pen", "1")
}
