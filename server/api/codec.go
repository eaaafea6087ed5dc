package api

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what Codec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Codec is gRPC's protobuf codec, but for messages that cannot be read. gRPC answers
// these with INTERNAL and never shows them to a handler. Codec hands on an empty message
// with a mark that says what is wrong, and [RefuseMalformed] or
// [RefuseMalformedStream] answers INVALID_ARGUMENT, naming the field whose text is not
// UTF-8.
type Codec struct{}

var plainCodec = encoding.GetCodecV2("proto")

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) { return plainCodec.Marshal(v) }

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := plainCodec.Unmarshal(data, v)
	m, ok := v.(proto.Message)
	if err == nil || !ok {
		return err
	}
	field, found := notUTF8(data.Materialize(), m.ProtoReflect().Descriptor())
	proto.Reset(m)
	mark := protowire.AppendTag(nil, markField, protowire.BytesType)
	if !found {
		field = ""
	}
	m.ProtoReflect().SetUnknown(protowire.AppendString(mark, field))
	return nil
}

// markField is a field number that no message has: the largest there is.
const markField = protowire.MaxValidNumber

// malformed returns the error of a message that bears the mark.
func malformed(v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return nil
	}
	number, _, n := protowire.ConsumeTag(m.ProtoReflect().GetUnknown())
	if n < 0 || number != markField {
		return nil
	}
	field, _ := protowire.ConsumeString(m.ProtoReflect().GetUnknown()[n:])
	if field == "" {
		return invalid(violation{"", "the message is no protobuf of this type: generate the client from the service's proto files"})
	}
	return invalid(violation{field, "is not valid UTF-8: convert it before sending; nothing of the message was taken"})
}

// RefuseMalformed is the interceptor of unary calls that goes with [Codec].
func RefuseMalformed(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := malformed(req); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// RefuseMalformedStream is the interceptor of streams that goes with [Codec].
func RefuseMalformedStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, checkedStream{ss})
}

type checkedStream struct{ grpc.ServerStream }

func (s checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return malformed(m)
}

// notUTF8 finds the first text of a message that is not UTF-8 and returns its path,
// such as "items[3].title".
func notUTF8(raw []byte, message protoreflect.MessageDescriptor) (path string, found bool) {
	seen := map[protowire.Number]int{}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return "", false
		}
		raw = raw[n:]
		size := protowire.ConsumeFieldValue(number, kind, raw)
		if size < 0 {
			return "", false
		}
		field := message.Fields().ByNumber(number)
		if kind == protowire.BytesType && field != nil {
			value, _ := protowire.ConsumeBytes(raw)
			if path, found := notUTF8Value(value, field, seen[number]); found {
				return path, true
			}
			seen[number]++
		}
		raw = raw[size:]
	}
	return "", false
}

// notUTF8Value is notUTF8 for value number i of a field.
func notUTF8Value(value []byte, field protoreflect.FieldDescriptor, i int) (path string, found bool) {
	name := string(field.Name())
	if field.IsList() {
		name = fmt.Sprintf("%s[%d]", name, i)
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		return name, !utf8.Valid(value)
	case protoreflect.MessageKind:
		path, found := notUTF8(value, field.Message())
		if found && field.IsMap() {
			return name + ofEntry(value, path), true
		}
		return name + "." + path, found
	}
	return "", false
}

// ofEntry names the place in a map's entry: `["colour"]` and what follows within its
// value; nothing if the key is at fault.
func ofEntry(entry []byte, path string) string {
	rest, ok := strings.CutPrefix(path, "value")
	if !ok {
		return ""
	}
	key := ""
	if number, _, n := protowire.ConsumeTag(entry); n > 0 && number == 1 {
		key, _ = protowire.ConsumeString(entry[n:])
	}
	return fmt.Sprintf("[%q]%s", key, rest)
}
