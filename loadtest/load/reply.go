package load

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Stage is one part of the time that the server says it spent on a call.
type Stage uint8

// The stages, as kindred.v1.StageTimes has them.
const (
	StageWait Stage = iota
	StageProfile
	StageRetrieve
	StageRank
	StageEncode
	StageLog
	StageTotal
	stages
)

var stageNames = [stages]string{"wait", "profile", "retrieve", "rank", "encode", "log", "total"}

// String is the stage's name in the results.
func (s Stage) String() string {
	if s >= stages {
		return "invalid"
	}
	return stageNames[s]
}

const tiers = int(kindredv1.Tier_TIER_POPULAR) + 1

// reply holds what the generator needs of an answer: read from the wire as it stands, without building the message, so
// that the client leaves the processor to the server. A worker reuses one.
type reply struct {
	layout    *layout
	items     int   // in the list
	rowErrors int   // of a write
	added     int64 // events or rows that were taken and new
	tier      int   // number of kindredv1.Tier; 0: the reply has none
	lag       int64
	timed     bool // whether the reply carries stage times
	stage     [stages]int64
}

// layout says where in a reply message the wanted fields stand. 0: the message has no such field.
type layout struct {
	items, tier, info, errors, added protowire.Number
}

func layoutOf(m protoreflect.ProtoMessage) *layout {
	fields := m.ProtoReflect().Descriptor().Fields()
	number := func(name protoreflect.Name) protowire.Number {
		if f := fields.ByName(name); f != nil {
			return f.Number()
		}
		return 0
	}
	return &layout{items: number("items"), tier: number("tier"), info: number("info"), errors: number("errors"), added: number("added")}
}

var (
	layouts = [kinds]*layout{
		KindRecommend: layoutOf(&kindredv1.RecommendResponse{}),
		KindEvent:     layoutOf(&kindredv1.WriteEventsResponse{}),
		KindSimilar:   layoutOf(&kindredv1.SimilarItemsResponse{}),
		KindSearch:    layoutOf(&kindredv1.SearchItemsResponse{}),
		KindRank:      layoutOf(&kindredv1.RankItemsResponse{}),
		KindPatch:     layoutOf(&kindredv1.PatchItemsResponse{}),
		KindAdd:       layoutOf(&kindredv1.UpsertItemsResponse{}),
		KindEmpty:     layoutOf(&healthpb.HealthCheckResponse{}),
	}
	infoFields  = (&kindredv1.ReplyInfo{}).ProtoReflect().Descriptor().Fields()
	lagField    = infoFields.ByName("lag").Number()
	timesField  = infoFields.ByName("stage_times").Number()
	stageFields = stageNumbers()
)

// stageNumbers maps field numbers of StageTimes to stages; index 0 and unknown numbers hold -1.
func stageNumbers() [16]int {
	var at [16]int
	for i := range at {
		at[i] = -1
	}
	fields := (&kindredv1.StageTimes{}).ProtoReflect().Descriptor().Fields()
	for s, name := range stageNames {
		at[fields.ByName(protoreflect.Name(name+"_us")).Number()] = s
	}
	return at
}

// read takes the wanted fields out of an encoded message. Unknown fields are passed over, as protobuf demands.
func (r *reply) read(b []byte) error {
	l := r.layout
	*r = reply{layout: l}
	return eachField(b, func(number protowire.Number, value uint64, bytes []byte) error {
		switch number {
		case 0:
		case l.items:
			r.items++
		case l.errors:
			r.rowErrors++
		case l.added:
			r.added = int64(value)
		case l.tier:
			if value < uint64(tiers) {
				r.tier = int(value)
			}
		case l.info:
			return r.readInfo(bytes)
		}
		return nil
	})
}

func (r *reply) readInfo(b []byte) error {
	return eachField(b, func(number protowire.Number, value uint64, bytes []byte) error {
		switch number {
		case lagField:
			r.lag = int64(value)
		case timesField:
			r.timed = true
			return r.readTimes(bytes)
		}
		return nil
	})
}

func (r *reply) readTimes(b []byte) error {
	return eachField(b, func(number protowire.Number, value uint64, _ []byte) error {
		if int(number) < len(stageFields) && stageFields[number] >= 0 {
			r.stage[stageFields[number]] = int64(value)
		}
		return nil
	})
}

// eachField walks the fields of an encoded message. value holds for varints, bytes for what has a length.
func eachField(b []byte, visit func(number protowire.Number, value uint64, bytes []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("load: malformed reply: %w", protowire.ParseError(n))
		}
		b = b[n:]
		var value uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("load: malformed reply: %w", protowire.ParseError(n))
		}
		if err := visit(number, value, bytes); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// wireCodec is the protobuf codec of gRPC, but for replies that are read on the wire.
type wireCodec struct{}

var protobuf = encoding.GetCodecV2(proto.Name)

func (wireCodec) Marshal(v any) (mem.BufferSlice, error) { return protobuf.Marshal(v) }

func (wireCodec) Unmarshal(b mem.BufferSlice, v any) error {
	r, ok := v.(*reply)
	if !ok {
		return protobuf.Unmarshal(b, v)
	}
	if len(b) == 1 {
		return r.read(b[0].ReadOnlyData())
	}
	whole := b.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return r.read(whole.ReadOnlyData())
}

func (wireCodec) Name() string { return proto.Name }
