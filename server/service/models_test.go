package service_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// visited is a shop in which five users looked at three items each.
func visited(t *testing.T, edits ...func(*service.Config)) *shop {
	t.Helper()
	s := start(t, append([]func(*service.Config){withModels(nil)}, edits...)...)
	s.upsert(shelf()...)
	var events []*kindredv1.Event
	for u := range 5 {
		for k := range 3 {
			events = append(events, view(fmt.Sprint(u, "-", k), fmt.Sprint("user-", u), fmt.Sprint("pen-", 1+(u+k)%6)))
		}
	}
	s.applied(s.write(events...).WriteToken)
	return s
}

func TestAModelIsUploadedPromotedAndRolledBack(t *testing.T) {
	s := visited(t)
	before := s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 10})
	archive, hash := s.pack(testModel{Size: 8, Favourite: "garden-3"})
	up, err := s.send(archive)
	if err != nil || up.Model.Hash != hash || up.Model.State != kindredv1.ModelState_MODEL_STATE_STORED || len(up.RemovedHashes) != 0 {
		t.Fatalf("%v %v", up, err)
	}
	if again, err := s.send(archive); err != nil || again.Model.Hash != hash {
		t.Errorf("again: %v %v", again, err)
	}
	got := must(s.models.GetModel(ctx(t), &kindredv1.GetModelRequest{Hash: hash[:8]})).Model
	if got.BehaviourDimension != 8 || got.Metrics[0].Name != "ndcg_at_10" || got.Files[0].Name != testModelFile || got.TrainingCode.GoVersion == "" {
		t.Errorf("%v", got)
	}
	stream, err := s.models.DownloadModel(ctx(t), &kindredv1.DownloadModelRequest{Hash: hash})
	var down bytes.Buffer
	for _, part := range all(t, stream, err) {
		down.Write(part.Chunk)
	}
	if !bytes.Equal(down.Bytes(), archive) {
		t.Errorf("downloaded %d bytes, uploaded %d", down.Len(), len(archive))
	}

	reply := must(s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash[:12], Note: "first", MaxWait: durationpb.New(20 * time.Second)}))
	if !reply.Serving || reply.Promotion.ModelHash != hash || reply.Promotion.PreviousHash != "" || reply.Promotion.Note != "first" || reply.Comparison.Cases != 5 {
		t.Fatalf("%v", reply)
	}
	after := s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 10})
	if modelOf(after.Info.Generation) != hash[:12] || modelOf(before.Info.Generation) != "" || after.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Errorf("generations %s, then %s; tier %v", before.Info.Generation, after.Info.Generation, after.Tier)
	}
	if f := s.favourite(user("user-1")); f != "garden-3" || !has(after.Items, "garden-3") || has(before.Items, "garden-3") {
		t.Errorf("shown %v, then %v", ids(before.Items), ids(after.Items))
	}
	if st := s.status(); st.ServingModel != hash || st.PromotedModel != hash || st.ModelFault != "" || st.Generation != after.Info.Generation {
		t.Errorf("status %v", st)
	}
	list := s.listed()
	if list.ServingHash != hash || len(list.Models) != 1 || list.Models[0].State != kindredv1.ModelState_MODEL_STATE_SERVING || len(list.Promotions) != 1 {
		t.Errorf("%v", list)
	}
	// Sessions of nobody known go the same way.
	e := view("s-1", "", "pen-2")
	e.SessionId = "somebody"
	s.applied(s.write(e).WriteToken)
	if anon := s.recommend(&kindredv1.RecommendRequest{Subject: session("somebody"), Limit: 3}); s.favourite(session("somebody")) != "garden-3" || anon.Tier != kindredv1.Tier_TIER_SESSION {
		t.Errorf("a session is shown %v of tier %v", ids(anon.Items), anon.Tier)
	}

	back := must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{MaxWait: durationpb.New(20 * time.Second)}))
	if !back.Serving || back.Promotion.ModelHash != "" || !back.Promotion.Rollback || modelOf(back.Generation) != "" {
		t.Errorf("%v", back)
	}
	if third := s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 10}); !slices.Equal(ids(third.Items), ids(before.Items)) {
		t.Errorf("after going back %v, before %v", ids(third.Items), ids(before.Items))
	}
	_, err = s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{})
	code(t, err, codes.FailedPrecondition)
}

func TestRollbacksGoFurtherBackEachTime(t *testing.T) {
	s := visited(t)
	var hashes []string
	for i := range 3 {
		h := s.uploaded(testModel{Size: 4 + i, Likeness: 0.5})
		s.promoted(h)
		hashes = append(hashes, h)
	}
	for _, want := range []string{hashes[1], hashes[0], ""} {
		r := must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{MaxWait: durationpb.New(20 * time.Second)}))
		if r.Promotion.ModelHash != want || !r.Serving {
			t.Fatalf("back to %.12s, want %.12s", r.Promotion.ModelHash, want)
		}
	}
	s.promoted(hashes[2])
	s.promoted(hashes[0])
	if r := must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{})); r.Promotion.ModelHash != hashes[2] {
		t.Errorf("back to %.12s, want %.12s", r.Promotion.ModelHash, hashes[2])
	}
	if n := len(s.listed().Promotions); n != 9 {
		t.Errorf("%d promotions are listed", n)
	}
}

func TestItemsThatComeAndChangeAreInTheModelsSpaceAtOnce(t *testing.T) {
	s := visited(t)
	s.promoted(s.uploaded(testModel{Size: 200}))
	first := func() *kindredv1.RecommendResponse {
		return s.recommend(&kindredv1.RecommendRequest{Subject: user("fan"), Limit: 50})
	}
	s.applied(s.write(view("f-1", "fan", "pen-1"), view("f-2", "fan", "pen-2")).WriteToken)
	s.upsert(item("pen-new", "Gel pen, black and blue", "Office > Pens"))
	if r := first(); !has(r.Items, "pen-new") || modelOf(r.Info.Generation) == "" {
		t.Errorf("a new item is not among %v of %s", ids(r.Items), r.Info.Generation)
	}
	similarity := func() float32 {
		reply := first()
		for _, d := range s.decisions() {
			for i, it := range d.Items {
				if it.ItemId == "pen-new" && d.RecommendationId == reply.RecommendationId {
					return similarities(t, d)[i]
				}
			}
		}
		t.Error("the new item is not shown")
		return 0
	}
	near := similarity()
	s.upsert(item("pen-new", "Garden hose made of rubber", "Office > Pens"))
	if far := similarity(); far > near-0.2 {
		t.Errorf("similarity %v, and %v when the text is another", near, far)
	}
	reply, err := s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"pen-new"}})
	if err != nil {
		t.Fatal(err)
	}
	s.applied(reply.WriteToken)
	if r := first(); has(r.Items, "pen-new") {
		t.Error("a deleted item is shown")
	}
}

func TestThresholdsRefuseByNameAndForceNotesThem(t *testing.T) {
	s := visited(t)
	hash := s.uploaded(testModel{Size: 8, Favourite: "garden-3"})
	ask := &kindredv1.PromoteModelRequest{
		Hash: hash, MaxWait: durationpb.New(20 * time.Second),
		Thresholds: &kindredv1.PromotionThresholds{MinOverlapAt_10: proto.Float64(1), MinHitRateRatio: proto.Float64(1000), MinCases: 2},
	}
	_, err := s.models.PromoteModel(ctx(t), ask)
	code(t, err, codes.FailedPrecondition)
	var failed []string
	for _, d := range status.Convert(err).Details() {
		if p, ok := d.(*errdetails.PreconditionFailure); ok {
			for _, v := range p.Violations {
				failed = append(failed, v.Subject)
			}
		}
	}
	if !slices.Contains(failed, "hit_rate_ratio") {
		t.Errorf("failed: %v in %v", failed, err)
	}
	contains(t, err.Error(), "hit_rate_ratio is ")
	contains(t, err.Error(), "at least 1000 is wanted")
	if list := s.listed(); list.PromotedHash != "" || len(list.Promotions) != 0 {
		t.Errorf("a refused one is promoted: %v", list)
	}
	ask.Force = true
	reply := must(s.models.PromoteModel(ctx(t), ask))
	noted := reply.Promotion.Checks[slices.IndexFunc(reply.Promotion.Checks, func(c *kindredv1.ThresholdCheck) bool { return c.Name == "hit_rate_ratio" })]
	if !reply.Serving || !reply.Promotion.Forced || !noted.Failed || noted.Bound != 1000 {
		t.Errorf("%v", reply.Promotion)
	}
	// What is asked for must be measured.
	_, err = s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{
		Hash:       s.uploaded(testModel{Size: 9, Likeness: 1}),
		Thresholds: &kindredv1.PromotionThresholds{MinNdcgRatio: proto.Float64(0), MinCases: 1000},
	})
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "ndcg_ratio could not be measured")
	for _, bad := range []*kindredv1.PromoteModelRequest{
		{Hash: hash, Thresholds: &kindredv1.PromotionThresholds{MinOverlapAt_10: proto.Float64(1.5)}},
		{Hash: hash, MaxWait: durationpb.New(time.Hour)},
		{Hash: hash, Note: strings.Repeat("x", 600)},
		{Hash: s.uploaded(testModel{Size: 10, Likeness: 1}), Settings: &kindredv1.EvaluationSettings{Cases: 100_000}},
		{Hash: "../../x"},
		{},
	} {
		_, err := s.models.PromoteModel(ctx(t), bad)
		code(t, err, codes.InvalidArgument)
	}
}

func TestAComparisonMeasuresBothSides(t *testing.T) {
	s := visited(t)
	var events []*kindredv1.Event
	for u := range 60 {
		for k, id := range []string{fmt.Sprint("pen-", 1+u%6), "garden-3"} {
			events = append(events, view(fmt.Sprint("v", u, "-", k), fmt.Sprint("visitor-", u), id))
		}
	}
	s.applied(s.write(events...).WriteToken)
	seer := s.uploaded(testModel{Size: 8, Favourite: "garden-3"})
	c := must(s.models.EvaluateModel(ctx(t), &kindredv1.EvaluateModelRequest{Hash: seer})).Comparison
	if c.Cases != 65 || c.CandidateHash != seer || c.ServingHash != "" || c.Unseen || c.Candidate.HitRateAt_10 < 60./65 || c.Candidate.NdcgAt_10 <= c.Serving.NdcgAt_10 ||
		c.Candidate.IndexRecall != 1 || c.Candidate.LatencyP99Us <= 0 || c.Serving.LatencyP50Us <= 0 || !(c.OverlapAt_10 > 0 && c.OverlapAt_10 <= 1) {
		t.Errorf("%v", c)
	}
	if list := s.listed(); list.PromotedHash != "" || s.recommend(&kindredv1.RecommendRequest{Limit: 1}).Info.Generation != s.status().Generation {
		t.Error("a comparison changed what serves")
	}
	// Against itself all is the same, and what it was trained on is left out.
	s.promoted(seer)
	twin := s.uploaded(testModel{Size: 8, Favourite: "garden-3"}, func(m *bundle.Manifest) { m.Data.LogHead = uint64(s.status().LogHead - 50) })
	c = must(s.models.EvaluateModel(ctx(t), &kindredv1.EvaluateModelRequest{Hash: twin, Settings: &kindredv1.EvaluationSettings{Cases: 30}})).Comparison
	if c.OverlapAt_10 != 1 || c.ServingHash != seer || c.Candidate.NdcgAt_10 != c.Serving.NdcgAt_10 || !c.Unseen || c.Cases < 20 || c.Cases > 30 {
		t.Errorf("%v", c)
	}
}

func TestModelsThatDoNotFitAreRefusedByName(t *testing.T) {
	s := visited(t)
	for what, c := range map[string]struct {
		edit func(*bundle.Manifest)
		says string
	}{
		"another encoder":   {func(m *bundle.Manifest) { m.TextEncoder.Name = "other/encoder" }, `"other/encoder"`},
		"another dimension": {func(m *bundle.Manifest) { m.TextEncoder.Dim = 384 }, "dimension 384"},
		"no behaviour":      {func(m *bundle.Manifest) { m.BehaviourDim = 0 }, "no behaviour encoder"},
		"its own weights":   {func(m *bundle.Manifest) { m.BehaviourDim = 9 }, "its weights have dimension 8, its manifest says 9"},
	} {
		hash := s.uploaded(testModel{Size: 8, Likeness: 0.5}, c.edit)
		for _, force := range []bool{false, true} {
			_, err := s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash, Force: force})
			code(t, err, codes.FailedPrecondition)
			contains(t, err.Error(), c.says)
		}
		_, err := s.models.EvaluateModel(ctx(t), &kindredv1.EvaluateModelRequest{Hash: hash})
		code(t, err, codes.FailedPrecondition)
		if list := s.listed(); len(list.Promotions) != 0 {
			t.Errorf("%s: promoted", what)
		}
	}
}

func TestDamagedUploadsAreRefusedAndLeaveNothing(t *testing.T) {
	s := visited(t)
	archive, hash := s.pack(testModel{Size: 8})
	flipped := bytes.Replace(slices.Clone(archive), []byte(`{"dim":8`), []byte(`{"dim":9`), 1)
	for what, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"flipped":  {flipped, "hash"},
		"cut off":  {archive[:len(archive)/2], "cut off"},
		"empty":    {nil, "empty"},
		"no model": {[]byte(strings.Repeat("x", 5000)), ""},
	} {
		_, err := s.send(c.raw)
		contains(t, refused(t, err, "chunk"), c.says)
		if n := len(s.listed().Models); n != 0 {
			t.Errorf("%s: %d models", what, n)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(s.modelFolder(hash)))
	if len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
	_, err := s.models.GetModel(ctx(t), &kindredv1.GetModelRequest{Hash: hash})
	code(t, err, codes.NotFound)
}

func TestModelsAreForScientistsOfTheirTenant(t *testing.T) {
	s := visited(t)
	archive, hash := s.pack(testModel{Size: 8, Likeness: 0.5})
	op := s.operate()
	science := s.tenant(op, "alpha", kindredv1.Role_ROLE_SCIENTIST)
	if _, err := science.send(archive); err != nil {
		t.Fatal(err)
	}
	for _, role := range []kindredv1.Role{kindredv1.Role_ROLE_FRONTEND, kindredv1.Role_ROLE_MERCHANT} {
		c := s.tenant(op, "alpha", role)
		_, err := c.models.ListModels(ctx(t), &kindredv1.ListModelsRequest{})
		code(t, err, codes.PermissionDenied)
		_, err = c.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash})
		code(t, err, codes.PermissionDenied)
		_, err = c.send(archive)
		code(t, err, codes.PermissionDenied)
	}
	other := s.tenant(op, "beta", kindredv1.Role_ROLE_SCIENTIST)
	if n := len(other.listed().Models); n != 0 {
		t.Errorf("another tenant sees %d models", n)
	}
	_, err := other.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash})
	code(t, err, codes.NotFound)
	if p := science.promoted(hash).Promotion; p.KeyId == "" {
		t.Error("the promotion names no key")
	}
	if list := op.listed(); list.PromotedHash != "" {
		t.Errorf("the operator's tenant has it promoted: %v", list)
	}
}

// TestPromotingWhileAnotherIsBuilt: the second waits its turn, unless it is forced; a
// rollback is always taken.
func TestPromotingWhileAnotherIsBuilt(t *testing.T) {
	var gate atomic.Pointer[chan struct{}]
	s := visited(t, withModels(&gate))
	old, slow, next := s.uploaded(testModel{Size: 5, Likeness: 0.5}), s.uploaded(testModel{Size: 6, Likeness: 0.5}), s.uploaded(testModel{Size: 7, Likeness: 0.5})
	s.promoted(old)
	// held promotes a model whose items wait at the gate once it is being built.
	held := func(hash string) (open func()) {
		t.Helper()
		closed := make(chan struct{})
		done := make(chan error, 1)
		gate.Store(&closed)
		go func() {
			_, err := s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash, Force: true})
			done <- err
		}()
		// The comparison before it waits too: let it pass, and hold what comes after.
		again := make(chan struct{})
		time.Sleep(50 * time.Millisecond)
		gate.Store(&again)
		close(closed)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return func() { gate.Store(nil); close(again) }
	}
	open := held(slow)
	if list := s.listed(); list.ServingHash != old || list.PromotedHash != slow ||
		list.Models[slices.IndexFunc(list.Models, func(m *kindredv1.Model) bool { return m.Hash == slow })].State != kindredv1.ModelState_MODEL_STATE_BUILDING {
		t.Errorf("while it is built: %v", list)
	}
	if g := s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 2}).Info.Generation; modelOf(g) != old[:12] {
		t.Errorf("while it is built %s serves", g)
	}
	if again := must(s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: slow})); again.Serving || again.Promotion.ModelHash != slow {
		t.Errorf("promoted again: %v", again)
	}
	for hash, says := range map[string]string{next: "is being built: wait"} {
		_, err := s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: hash})
		code(t, err, codes.FailedPrecondition)
		contains(t, err.Error(), says)
	}
	back := must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{}))
	if back.Promotion.ModelHash != old || !back.Serving {
		t.Errorf("rolled back: %v", back)
	}
	open()
	time.Sleep(50 * time.Millisecond)
	if list := s.listed(); list.ServingHash != old || list.PromotedHash != old {
		t.Errorf("after the rollback: %v", list)
	}
	s.promoted(slow)
	if st := s.status(); st.ServingModel != slow {
		t.Errorf("status %v", st)
	}
}

// TestNoReplyMixesGenerations promotes and rolls back under load. With each model every
// item has one likeness to every user, so that the features of a reply tell which space
// each item was read in.
func TestNoReplyMixesGenerations(t *testing.T) {
	s := visited(t, func(c *service.Config) { c.Shop.RankingAge = 200 * time.Millisecond })
	s.put(things(0, 300))
	likeness := map[string]float32{}
	var hashes []string
	for i := range 2 {
		l := 0.25 + 0.5*float32(i)
		h := s.uploaded(testModel{Size: 16 + i, Likeness: l})
		likeness[h[:12]], hashes = l, append(hashes, h)
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	var replies, n atomic.Int64
	var mu sync.Mutex
	var times []time.Duration
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			c := dial(t, s.service.Addr(), "")
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				begin := time.Now()
				who := fmt.Sprint("user-", (w+i)%5)
				reply, err := c.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user(who), Limit: 8})
				took := time.Since(begin)
				if err != nil || len(reply.Items) == 0 || reply.Tier != kindredv1.Tier_TIER_PERSONALIZED {
					t.Errorf("%v %v", reply, err)
					return
				}
				replies.Add(1)
				if i%10 == 0 {
					e := view(fmt.Sprint("load-", w, "-", i), who, fmt.Sprint("pen-", 1+i%6))
					if _, err := c.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{e}}); err != nil {
						t.Error(err)
					}
					it := item(fmt.Sprint("thing-new-", w, "-", i%30), fmt.Sprint("Fresh pen number ", i), "Office > Pens")
					if _, err := c.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{it}}); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				times = append(times, took)
				mu.Unlock()
			}
		})
	}
	for round := range rounds {
		if round%3 == 2 {
			if r, err := s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{MaxWait: durationpb.New(20 * time.Second)}); err != nil || !r.Serving {
				t.Errorf("rollback: %v %v", r, err)
			}
			continue
		}
		other := slices.IndexFunc(hashes, func(h string) bool { return h != s.status().ServingModel })
		s.promoted(hashes[other])
		n.Add(1)
	}
	close(stop)
	wg.Wait()
	seen := map[string]int{}
	for _, d := range s.decisions() {
		if d.Tier != "personalized" {
			continue
		}
		model := modelOf(d.Generation)
		seen[model]++
		for i, got := range similarities(t, d) {
			want, ok := likeness[model]
			if ok && (got < want-1e-3 || got > want+1e-3) {
				t.Fatalf("item %d of a reply of generation %s has likeness %v, all of its model have %v", i, d.Generation, got, want)
			}
		}
	}
	if len(seen) < 2 {
		t.Errorf("only %v served", seen)
	}
	slices.Sort(times)
	t.Logf("%d promotions and %d rollbacks under %d requests without an error; p50 %v, p99 %v; replies by model %v",
		n.Load(), rounds/3, replies.Load(), times[len(times)/2], times[len(times)*99/100], seen)
}

func TestARestartServesThePromotedModelOrTheLastGoodOne(t *testing.T) {
	var log said
	s := visited(t, func(c *service.Config) { c.Log = log.logger() })
	first, second := s.uploaded(testModel{Size: 8, Favourite: "garden-3"}), s.uploaded(testModel{Size: 8, Favourite: "garden-4"})
	s.promoted(first)
	s.promoted(second)
	s.restart()
	if st := s.status(); st.ServingModel != second || modelOf(st.Generation) != second[:12] {
		t.Errorf("after a restart: %v", st)
	}
	archive, _ := s.pack(testModel{Size: 8, Favourite: "garden-4"})
	file := filepath.Join(s.modelFolder(second), testModelFile)
	raw := read(t, file)
	overwrite(t, file, bytes.Replace(raw, []byte("garden-4"), []byte("garden-5"), 1))
	s.restart()
	st := s.status()
	if st.ServingModel != first || st.PromotedModel != second || !strings.Contains(st.ModelFault, "hash does not match") {
		t.Errorf("with a damaged model: %v", st)
	}
	contains(t, log.String(), "the promoted bundle does not serve")
	contains(t, log.String(), "an earlier bundle serves in place of the promoted one")
	if f := s.favourite(user("user-1")); f != "garden-3" {
		t.Errorf("the favourite is %q", f)
	}
	list := s.listed()
	if list.Fault == "" || list.Models[slices.IndexFunc(list.Models, func(m *kindredv1.Model) bool { return m.Hash == second })].State != kindredv1.ModelState_MODEL_STATE_FAILED {
		t.Errorf("%v", list)
	}
	// Sending it again mends it.
	if _, err := s.send(archive); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); s.status().ServingModel != second; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after it was sent again: %v", s.status())
		}
	}
	// With all of them gone the service serves without.
	if err := os.RemoveAll(filepath.Dir(s.modelFolder(second))); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if st := s.status(); st.ServingModel != "" || st.PromotedModel != second || !strings.Contains(st.ModelFault, "no bundle") {
		t.Errorf("with no model: %v", st)
	}
	if r := s.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 3}); len(r.Items) != 3 || r.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Errorf("shown %v of tier %v", ids(r.Items), r.Tier)
	}
}

func TestOldModelsGoAndWhatServesStays(t *testing.T) {
	s := visited(t, func(c *service.Config) { c.Shop.Models.Keep = 2 })
	day := func(n int) func(*bundle.Manifest) {
		return func(m *bundle.Manifest) { m.Created = m.Created.AddDate(0, 0, n) }
	}
	parent := s.uploaded(testModel{Size: 8, Likeness: 0.5}, day(0))
	s.promoted(parent)
	serving := s.uploaded(testModel{Size: 8, Likeness: 0.5}, day(1))
	s.promoted(serving)
	var later []string
	for i := range 4 {
		later = append(later, s.uploaded(testModel{Size: 8, Likeness: 0.5}, day(2+i)))
	}
	var left []string
	for _, m := range s.listed().Models {
		left = append(left, m.Hash)
	}
	if !slices.Equal(left, []string{later[3], later[2], serving, parent}) && !slices.Equal(left, []string{later[3], later[2], later[1], serving, parent}) {
		t.Errorf("left: %v of %v", left, append([]string{parent, serving}, later...))
	}
	r := must(s.models.RollbackModel(ctx(t), &kindredv1.RollbackModelRequest{MaxWait: durationpb.New(20 * time.Second)}))
	if !r.Serving || r.Promotion.ModelHash != parent {
		t.Errorf("%v", r)
	}
}

// TestAModelFollowsAChangeOfEngines: both spaces get graphs when the catalog outgrows a
// scan, and the model stays.
func TestAModelFollowsAChangeOfEngines(t *testing.T) {
	s := visited(t, withIndex(func(c *shops.IndexConfig) { c.Threshold = 200 }))
	hash := s.uploaded(testModel{Size: 32})
	s.promoted(hash)
	s.put(things(0, 500))
	s.serves("hnsw")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if st := s.status(); st.ServingModel == hash && modelOf(st.Generation) == hash[:12] && strings.Contains(st.Generation, "/hnsw/") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v", s.status())
		}
	}
	s.restart()
	if st := s.status(); st.ServingModel != hash {
		t.Errorf("after a restart %v", st)
	}
	if _, err := s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}); err != nil || s.status().ServingModel != hash {
		t.Errorf("after a refresh %v %v", s.status(), err)
	}
}

// TestAModelWaitsForTheVectorsOfASlowEncoder: a model is of the slow encoder's space. While
// the embedded encoder serves in its place there is none, and it comes back with it.
func TestAModelWaitsForTheVectorsOfASlowEncoder(t *testing.T) {
	slow := newCounted(t, "slow@1")
	w := startEmbedder(t, slow)
	s := start(t, slowly(dialEmbedder(t, w.addr)), withModels(nil))
	s.put(things(0, 300))
	s.filled()
	s.applied(s.write(view("1", "ann", "thing-1"), view("2", "ann", "thing-2")).WriteToken)
	first := s.uploaded(testModel{Size: 16})
	s.promoted(first)
	release := slow.stand()
	s.put(things(300, 900))
	s.encodes("a bridge", func(st *kindredv1.TenantStatus) bool { return st.Encoding.Bridged && st.Encoder != "slow@1" })
	if st := s.status(); st.ServingModel != "" || st.PromotedModel != first || st.ModelFault != "" {
		t.Errorf("bridged: %v", st)
	}
	if r := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 5}); r.Tier != kindredv1.Tier_TIER_PERSONALIZED || modelOf(r.Info.Generation) != "" {
		t.Errorf("bridged: %v of %s", r.Tier, r.Info.Generation)
	}
	about := func(m *bundle.Manifest) { m.TextEncoder.Name = "slow@1" }
	second := s.uploaded(testModel{Size: 17}, about)
	_, err := s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: second})
	code(t, err, codes.FailedPrecondition)
	contains(t, err.Error(), "the vectors of the text encoder are not there yet")
	if r := must(s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: second, Force: true})); r.Serving || r.Comparison != nil {
		t.Errorf("forced while bridged: %v", r)
	}
	_, err = s.models.PromoteModel(ctx(t), &kindredv1.PromoteModelRequest{Hash: s.uploaded(testModel{Size: 18}), Force: true})
	code(t, err, codes.FailedPrecondition) // of the bridge's encoder: cannot be forced
	release()
	s.filled()
	s.encodes("the model", func(st *kindredv1.TenantStatus) bool { return st.ServingModel == second })
	if r := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 5}); modelOf(r.Info.Generation) != second[:12] {
		t.Errorf("filled: %s", r.Info.Generation)
	}
	s.restart()
	if st := s.status(); st.ServingModel != second || st.Encoding.Bridged {
		t.Errorf("after a restart: %v", st)
	}
}
