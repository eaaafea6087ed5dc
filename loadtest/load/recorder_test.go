package load

import (
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// What several recorders hold together is what one would hold that saw all.
func TestMergedTalliesEqualOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := newRecorder()
		several := []*recorder{newRecorder(), newRecorder(), newRecorder()}
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			o := outcome{arrival: arrival{kind: Kind(rapid.IntRange(0, int(kinds)-1).Draw(t, "kind")), measured: rapid.Bool().Draw(t, "measured")}}
			o.end = time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "latency"))
			if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
				o.err = status.Error(codes.Unavailable, "gone")
			}
			r := &reply{layout: layouts[o.kind], items: rapid.IntRange(0, 3).Draw(t, "items"), timed: true, tier: 1}
			one.record(o, r)
			several[rapid.IntRange(0, 2).Draw(t, "recorder")].record(o, r)
		}
		sum := newTally()
		for _, r := range several {
			sum.add(r.measured)
		}
		want := one.measured
		if !sum.all().Equals(want.all()) || !sum.late.Equals(want.late) || !sum.stage[StageTotal].Equals(want.stage[StageTotal]) {
			t.Fatal("histograms differ")
		}
		if sum.ok != want.ok || sum.errors[codes.Unavailable] != want.errors[codes.Unavailable] || sum.items != want.items ||
			sum.lists != want.lists || sum.empty != want.empty || sum.tier != want.tier || sum.lastEnd != want.lastEnd {
			t.Fatalf("counts differ: %+v and %+v", sum, want)
		}
		merged, whole := newCoarseHistogram(), newCoarseHistogram()
		var failed int64
		for _, r := range several {
			failed += r.takeInterval(merged)
		}
		if one.takeInterval(whole) != failed || !merged.Equals(whole) {
			t.Fatal("intervals differ")
		}
	})
}

func TestRecordersTakeCallsFromManyGoroutines(t *testing.T) {
	r := newRecorder()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				r.record(outcome{arrival: arrival{measured: true}, end: time.Millisecond}, &reply{layout: layouts[KindRecommend]})
			}
		})
	}
	sum := newCoarseHistogram()
	for range 10 {
		r.takeInterval(sum)
	}
	wait.Wait()
	r.takeInterval(sum)
	if r.measured.ok != 8000 || sum.TotalCount() != 8000 {
		t.Errorf("%d calls and %d in intervals; want 8000", r.measured.ok, sum.TotalCount())
	}
}

// The wire reader agrees with protobuf on every reply.
func TestWireReaderEqualsProtobuf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info := &kindredv1.ReplyInfo{Generation: rapid.String().Draw(t, "generation"), Lag: rapid.Int64Range(0, 1<<40).Draw(t, "lag"),
			Seed: rapid.Uint64().Draw(t, "seed")}
		times := &kindredv1.StageTimes{WaitUs: rapid.Int64Range(0, 1<<40).Draw(t, "wait"), ProfileUs: 2, RetrieveUs: 3, RankUs: 4, EncodeUs: 5,
			LogUs: 6, TotalUs: rapid.Int64Range(0, 1<<40).Draw(t, "total")}
		if rapid.Bool().Draw(t, "timed") {
			info.StageTimes = times
		}
		m := &kindredv1.RecommendResponse{RecommendationId: "r", Tier: kindredv1.Tier(rapid.IntRange(0, 4).Draw(t, "tier")), Info: info}
		for range rapid.IntRange(0, 12).Draw(t, "items") {
			m.Items = append(m.Items, &kindredv1.RecommendedItem{ItemId: "i", Score: 1.5, Propensity: 1})
		}
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		r := reply{layout: layouts[KindRecommend], items: 99, tier: 3} // of the call before
		if err := r.read(b); err != nil {
			t.Fatal(err)
		}
		if r.items != len(m.Items) || r.tier != int(m.Tier) || r.lag != info.Lag || r.timed != (info.StageTimes != nil) {
			t.Fatalf("read %+v of %v", r, m)
		}
		if r.timed && r.stage != [stages]int64{times.WaitUs, 2, 3, 4, 5, 6, times.TotalUs} {
			t.Fatalf("stages %v of %v", r.stage, times)
		}
		w, err := proto.Marshal(&kindredv1.WriteEventsResponse{Added: 7, Duplicates: 2, WriteToken: "t", Errors: []*kindredv1.RowError{{}, {}}})
		if err != nil {
			t.Fatal(err)
		}
		r.layout = layouts[KindEvent]
		if err := r.read(w); err != nil || r.added != 7 || r.rowErrors != 2 || r.items != 0 {
			t.Fatalf("read %+v, error %v", r, err)
		}
	})
}

func FuzzReply(f *testing.F) {
	b, err := proto.Marshal(&kindredv1.RecommendResponse{Items: []*kindredv1.RecommendedItem{{ItemId: "i"}}, Info: fakeInfo()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reply{layout: layouts[KindRecommend]}
		if err := r.read(b); err != nil {
			if proto.Unmarshal(b, &kindredv1.RecommendResponse{}) == nil {
				t.Fatalf("refused what protobuf reads: %v", err)
			}
		}
	})
}

func TestBisectFindsTheEdge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.Float64Range(2, 1e5).Draw(t, "edge")
		start := rapid.Float64Range(1, 1e5).Draw(t, "start")
		best, tries := 0.0, 0
		err := bisect(start, 0.05, func(rate float64) (bool, error) {
			tries++
			if rate <= edge {
				best = max(best, rate)
			}
			return rate <= edge, nil
		})
		if err != nil || best > edge || best < edge/1.06 || tries > 30 {
			t.Fatalf("found %v of %v after %d tries, error %v", best, edge, tries, err)
		}
	})
}

func TestBisectGivesUpAndPassesErrorsOn(t *testing.T) {
	tries := 0
	if err := bisect(100, 0.05, func(float64) (bool, error) { tries++; return false, nil }); err != nil || tries > 8 {
		t.Errorf("%d tries, error %v; a server that holds nothing ends the search", tries, err)
	}
	broken := errors.New("broken")
	if err := bisect(100, 0.05, func(float64) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v; want %v", err, broken)
	}
}
