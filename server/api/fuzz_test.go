package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// FuzzRequests sends random messages, valid and not, to a whole service. Whatever
// comes, a caller's fault is never answered as one of the service's own, nothing panics,
// and nothing is logged as an error.
func FuzzRequests(f *testing.F) {
	log := &errorLog{}
	config := service.Config{Data: f.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Log: slog.New(log)}
	config.Store.Sync = false
	config.Shop.MaxItems = 1 << 12
	s, err := service.Start(context.Background(), config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Stop(); err != nil {
			f.Error(err)
		}
	})
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	for seed := range uint64(400) {
		f.Add(seed)
	}
	methods := allMethods()
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := &maker{rng: rand.New(rand.NewPCG(seed, 1))}
		for range 3 {
			method := methods[m.rng.IntN(len(methods))]
			sent, err := m.call(t.Context(), conn, method)
			switch status.Code(err) {
			case codes.Internal, codes.Unknown, codes.DataLoss, codes.Unimplemented, codes.DeadlineExceeded:
				t.Errorf("%s answers %v to %v", method.FullName(), err, sent)
			}
			if text := log.take(); text != "" {
				t.Errorf("%s makes the service log %q on %v", method.FullName(), text, sent)
			}
		}
	})
}

// errorLog keeps the last error that was logged.
type errorLog struct{ last atomic.Pointer[string] }

func (l *errorLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l *errorLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *errorLog) WithGroup(string) slog.Handler                    { return l }
func (l *errorLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.last.Store(&text)
	return nil
}

func (l *errorLog) take() string {
	if text := l.last.Swap(nil); text != nil {
		return *text
	}
	return ""
}

func allMethods() (list []protoreflect.MethodDescriptor) {
	for _, file := range []protoreflect.FileDescriptor{
		kindredv1.File_kindred_v1_catalog_proto, kindredv1.File_kindred_v1_event_proto, kindredv1.File_kindred_v1_recommendation_proto,
		kindredv1.File_kindred_v1_profile_proto, kindredv1.File_kindred_v1_admin_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for k := range methods.Len() {
				list = append(list, methods.Get(k))
			}
		}
	}
	return list
}

// maker makes random messages.
type maker struct{ rng *rand.Rand }

// bytesCodec sends messages as bytes, so that broken ones can be sent.
type bytesCodec struct{}

func (bytesCodec) Name() string                  { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (bytesCodec) Unmarshal([]byte, any) error   { return nil }
func (m *maker) one(in int) bool                 { return m.rng.IntN(in) == 0 }
func pick[T any](m *maker, list ...T) T          { return list[m.rng.IntN(len(list))] }
func (m *maker) few() int                        { return pick(m, 0, 1, 1, 2, 3) }
func (m *maker) newMessage(d protoreflect.MessageDescriptor) protoreflect.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err) // the generated package registers all
	}
	return kind.New()
}

// call sends one to three messages and reads all replies.
func (m *maker) call(ctx context.Context, conn *grpc.ClientConn, method protoreflect.MethodDescriptor) ([]proto.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	desc := &grpc.StreamDesc{ClientStreams: method.IsStreamingClient(), ServerStreams: true}
	stream, err := conn.NewStream(ctx, desc, fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()), grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		return nil, err
	}
	var sent []proto.Message
	for n := 1; n > 0; n-- {
		message := m.newMessage(method.Input())
		m.fill(message, 5)
		raw, err := proto.Marshal(message.Interface())
		if err != nil {
			return sent, nil // a text that a client in Go cannot send
		}
		if m.one(8) && len(raw) > 0 {
			raw[m.rng.IntN(len(raw))] ^= byte(1 << m.rng.IntN(8))
		}
		sent = append(sent, message.Interface())
		if err := stream.SendMsg(raw); err != nil {
			break // the reason comes with the reply
		}
		if method.IsStreamingClient() && m.one(2) && len(sent) < 4 {
			n++
		}
	}
	if err := stream.CloseSend(); err != nil {
		return sent, err
	}
	for {
		var reply []byte
		if err := stream.RecvMsg(&reply); errors.Is(err, io.EOF) {
			return sent, nil
		} else if err != nil {
			return sent, err
		}
	}
}

// fill sets about two fields of three, down to a depth.
func (m *maker) fill(message protoreflect.Message, depth int) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if m.one(3) || field.Message() != nil && depth == 0 {
			continue
		}
		switch {
		case field.IsMap():
			for range m.few() {
				value := m.value(field.MapValue(), message.NewField(field).Map().NewValue, depth)
				message.Mutable(field).Map().Set(protoreflect.ValueOfString(m.text(field)).MapKey(), value)
			}
		case field.IsList():
			list := message.Mutable(field).List()
			for range m.few() {
				list.Append(m.value(field, list.NewElement, depth))
			}
		default:
			message.Set(field, m.value(field, func() protoreflect.Value { return message.NewField(field) }, depth))
		}
	}
}

// value makes a value of a field: an ordinary one more often than an extreme one.
func (m *maker) value(field protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(m.text(field))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(m.one(3))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(pick[int32](m, 0, 1, 1, 2, 3, 4, 7, 99, -1, 257)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(pick[int32](m, 0, 1, 3, 10, 10, 999, 10_001, -1, math.MaxInt32, math.MinInt32))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(pick[int64](m, 0, 1, 5, time.Now().Unix(), time.Now().Unix(), -1, math.MaxInt64, math.MinInt64))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(pick[uint64](m, 0, 1, math.MaxUint64))
	case protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(m.rng.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(pick[float32](m, 0, 1, 0.5, -1, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32, 1e-45))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(pick(m, 0, 1, 0.5, 0.3, -1, math.NaN(), math.Inf(-1), math.MaxFloat64))
	case protoreflect.MessageKind:
		value := empty()
		m.fill(value.Message(), depth-1)
		return value
	}
	panic("a kind of field that the contract did not have: " + field.Kind().String())
}

// text makes text that suits the name of a field, or does not.
func (m *maker) text(field protoreflect.FieldDescriptor) string {
	if m.one(6) {
		return pick(m, "", " ", "\x00", strings.Repeat("x", 200), strings.Repeat("é", 3000), "a\nb", "'\"`)(%s", "\u202e", "caf\u00e9")
	}
	switch field.Name() {
	case "filter":
		return pick(m, "price < 5.0", "in_stock && 'A' in categories", "price <", "attributes.size == 'S'", strings.Repeat("(", 300),
			"title.startsWith('P')", "tags.exists(t, t == 'x')", "price / 0.0 > 1.0", "true // c", "stock > 9223372036854775807")
	case "currency_code":
		return pick(m, "EUR", "EUR", "USD", "eur")
	case "paths":
		return pick(m, "price", "stock", "hidden", "available_from", "available_until", "title")
	case "name", "tenant":
		return pick(m, "default", "other", "home", "size", "wish", "Shop")
	case "custom_type":
		return pick(m, "", "", "wish", "view")
	case "seen_policy":
		return pick(m, "", "keep", "hide_purchased", "hide_interacted", "none")
	case "page_token", "min_write_token", "after_write_token":
		return pick(m, "", "", "AAAAAQAAAAAAAAABAAAAAAAAAAE", "YQ", strings.Repeat("A", 64))
	}
	return pick(m, "a", "b", "c", "pen one", "d", "item", "u", "s")
}
