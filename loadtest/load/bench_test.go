package load

import (
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func tenItems(b testing.TB) []byte {
	m := &kindredv1.RecommendResponse{RecommendationId: "0123456789abcdef", Tier: kindredv1.Tier_TIER_PERSONALIZED, Info: fakeInfo()}
	for i := range 10 {
		m.Items = append(m.Items, &kindredv1.RecommendedItem{ItemId: "B00000000" + strconv.Itoa(i), Score: 1.5, Propensity: 1,
			Sources: []kindredv1.Source{kindredv1.Source_SOURCE_USER_VECTOR}})
	}
	wire, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return wire
}

// What the client spends the server lacks: a reply is read and recorded, and an arrival drawn, without allocating.
func TestTheLoopAllocatesNothing(t *testing.T) {
	wire := tenItems(t)
	r := reply{layout: layouts[KindRecommend]}
	to := newRecorder()
	arrivals := newSequence(mixedPlan(1), Population{Count: 1000, Prefix: "u", Exponent: 1.1}, 1000)
	n := testing.AllocsPerRun(1000, func() {
		a, _ := arrivals.draw()
		a.kind = KindRecommend
		if err := r.read(wire); err != nil {
			t.Fatal(err)
		}
		to.record(outcome{arrival: a, end: a.due + time.Millisecond}, &r)
	})
	if n > 0 {
		t.Errorf("%v allocations a call; want none", n)
	}
}

func BenchmarkReplyRead(b *testing.B) {
	wire := tenItems(b)
	r := reply{layout: layouts[KindRecommend]}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.read(wire); err != nil || r.items != 10 {
			b.Fatal(err, r.items)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	plan := mixedPlan(1)
	plan.Duration = 1 << 60
	s := newSequence(plan, Population{Count: 1_000_000, Prefix: "u", Exponent: 1.1}, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, more := s.draw(); !more {
			b.Fatal("the schedule ended")
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	to := newRecorder()
	r := reply{layout: layouts[KindRecommend], items: 10, tier: 1, timed: true}
	b.ReportAllocs()
	for b.Loop() {
		to.record(outcome{arrival: arrival{measured: true}, end: time.Millisecond}, &r)
	}
	if to.measured.ok != int64(b.N) {
		b.Fatal(to.measured.ok)
	}
}
