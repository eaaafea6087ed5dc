package store

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// plainEvent decodes an event by the generated code.
func plainEvent(v []byte) (eventRow, error) {
	var m storepb.Event
	if err := decode(v, valueEvent, &m); err != nil {
		return eventRow{}, err
	}
	row := eventRow{session: m.Session, userGiven: m.UserGiven}
	row.Event = record.Event{
		ID: m.Id, Item: m.ItemId, Type: m.Type, Value: m.GetValue(), HasValue: m.Value != nil, Text: m.Text,
		Time: time.Unix(0, m.TimeNs).UTC(), Synthetic: m.Synthetic, Stamped: m.Stamped,
		RecommendationID: m.RecommendationId, Position: m.Position, Surface: m.Surface, Context: m.Context,
	}
	if len(m.Context) == 0 {
		row.Context = nil
	}
	row.UserNumber, row.ItemNumber, row.Received = m.Owner, m.Item-1, time.Unix(0, m.ReceivedNs).UTC()
	return row, nil
}

var exportAll = gocmp.AllowUnexported(eventRow{})

// sameFloats lets NaN equal NaN.
var sameFloats = gocmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })

func encodedEvent(e *record.Event, owner, session uint64, item uint32) []byte {
	var m storepb.Event
	v, err := appendEvent(nil, &m, e)
	if err != nil {
		panic(err)
	}
	return appendEventTail(v, owner, session, item, 1_700_000_000_000_000_000)
}

// TestEventDecoders holds the fast decoder to the generated one, and the tail to
// the message's field numbers.
func TestEventDecoders(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	text := func() string { return []string{"", "a", "view", "héllo", string(make([]byte, 300))}[r.IntN(5)] }
	for range 2000 {
		e := record.Event{
			ID: text(), User: text(), Session: text(), Item: text(), Type: text(), Value: r.NormFloat64(), HasValue: r.IntN(2) == 0,
			Text: text(), Time: time.Unix(0, r.Int64()-r.Int64()).UTC(), Synthetic: r.IntN(2) == 0, Stamped: r.IntN(2) == 0,
			RecommendationID: text(), Position: int32(r.Uint32()), Surface: text(),
		}
		if !e.HasValue {
			e.Value = 0
		}
		for range r.IntN(3) {
			if e.Context == nil {
				e.Context = map[string]string{}
			}
			e.Context[text()] = text()
		}
		owner, session, item := r.Uint64(), r.Uint64N(2), r.Uint32N(3)-1
		v := encodedEvent(&e, owner, session, item)
		if len(v) > eventSize(&e)+eventTail {
			t.Fatalf("%d bytes, the bound says %d", len(v), eventSize(&e)+eventTail)
		}
		plain, err := plainEvent(v)
		if err != nil {
			t.Fatal(err)
		}
		var fast eventRow
		if err := decodeEvent(v, words{}, &fast); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(plain, fast, exportAll); d != "" {
			t.Fatalf("the decoders differ:\n%s", d)
		}
		want := e
		want.User, want.Session = "", ""
		if d := gocmp.Diff(want, fast.Event); d != "" || fast.UserNumber != owner || fast.session != session || fast.ItemNumber != item {
			t.Fatalf("written and read differ (%d %d %d):\n%s", fast.UserNumber, fast.session, fast.ItemNumber, d)
		}
	}
}

func TestDuplicateIsEncodedAsItsMessage(t *testing.T) {
	want := &storepb.Duplicate{Seq: 1 << 40, Content: 1<<64 - 1}
	var got storepb.Duplicate
	if err := decode(appendDuplicate(nil, want.Seq, want.Content), valueOther, &got); err != nil || !proto.Equal(want, &got) {
		t.Errorf("%v came back as %v, %v", want, &got, err)
	}
}

// FuzzEvent: the fast decoder takes what the generated one takes, says
// ErrCorrupt to the rest, and never panics.
func FuzzEvent(f *testing.F) {
	f.Add(encodedEvent(&record.Event{ID: "a", User: "u", Item: "i", Type: "view", Context: map[string]string{"k": "v"}, HasValue: true}, 7, 8, 9))
	f.Add([]byte{format, valueEvent, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, v []byte) {
		var fast eventRow
		err := decodeEvent(v, words{}, &fast)
		if err != nil && !errors.Is(err, record.ErrCorrupt) {
			t.Fatalf("refused with %v", err)
		}
		plain, plainErr := plainEvent(v)
		if plainErr != nil {
			return // the fast one does not look at UTF-8 again
		}
		if err != nil {
			t.Fatalf("the generated decoder takes what the fast one refuses: %v", err)
		}
		if d := gocmp.Diff(plain, fast, exportAll, sameFloats); d != "" {
			t.Fatalf("the decoders differ:\n%s", d)
		}
	})
}

// FuzzValues gives any bytes to all that reads values: ErrCorrupt or a value,
// never a panic.
func FuzzValues(f *testing.F) {
	o := testOptions()
	s, err := Open(f.TempDir(), o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	tenant := &Tenant{store: s, number: 1}
	for _, m := range []proto.Message{
		&storepb.ItemRow{Id: "a", Item: itemMessage(&record.Item{ID: "a", Price: &record.Money{}, Attributes: map[string]record.Value{"x": {Kind: 4}}})},
		&storepb.DecisionBatch{User: []uint64{1}, Decision: []*storepb.Decision{{
			Id: "a", Items: &storepb.Ranking{Item: []uint32{1}, Score: []float32{1}, Propensity: []float32{1}, Width: []uint32{9}}, Names: 1,
		}}},
		&storepb.List{Id: "a"}, &storepb.Checkpoints{Good: []*storepb.Checkpoint{{}}}, &storepb.Head{Seq: 1},
	} {
		v, err := encode(valueOther, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v)
	}
	for kind := range byte(8) {
		f.Add([]byte{format, kind, 8, 1})
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		check := func(err error) {
			t.Helper()
			if err != nil && !errors.Is(err, record.ErrCorrupt) {
				t.Fatalf("refused with %v", err)
			}
		}
		var batch storepb.DecisionBatch
		err := decode(v, valueOther, &batch)
		for i := range batch.Decision {
			if err == nil {
				_, err = fromBatch(&batch, i)
			}
		}
		check(err)
		_, err = decodeList(v)
		check(err)
		var item storepb.ItemRow
		if err = decode(v, valueOther, &item); err == nil && item.Item != nil {
			fromItemMessage(item.Item)
		}
		check(err)
		var profile storepb.ProfileRow
		if err = decode(v, valueOther, &profile); err == nil {
			fromProfileMessage(&profile)
		}
		check(err)
		var settings storepb.Tenant
		if err = decode(v, valueOther, &settings); err == nil {
			fromTenantMessage(&settings)
		}
		check(err)
		var key storepb.Key
		if err = decode(v, valueOther, &key); err == nil {
			fromKeyMessage(&key)
		}
		check(err)
		check(s.view(func(txn *badger.Txn) error {
			_, _, err := tenant.entry(txn, 1, v, words{}, new(eventSlab))
			return err
		}))
	})
}
