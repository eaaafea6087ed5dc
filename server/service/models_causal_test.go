package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/itemtext"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/learned"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// causalBundle is a bundle of a behaviour encoder of random weights that knows some items.
func causalBundle(t *testing.T, known []string) *bundle.Bundle {
	t.Helper()
	enc := must(static.Default())
	c := causal.DefaultConfig(len(known), enc.Info().Dim)
	c.Dim, c.FeedForward = 64, 128
	w, flat := causal.NewWeights(c)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range flat {
		flat[i] = float32(r.NormFloat64() / 8)
	}
	return must(bundle.Write(t.TempDir(), bundle.Manifest{
		Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		TextEncoder: bundle.Space{Name: enc.Info().Model, Dim: enc.Info().Dim}, BehaviourDim: c.Dim,
	}, map[string]bundle.Payload{
		bundle.BehaviourFile: func(w2 io.Writer) error { return causal.Write(w2, causal.Tower{Config: c, Weights: w}) },
		bundle.ItemsFile:     func(w io.Writer) error { return bundle.WriteItems(w, known) },
	}, bundle.Limits{}))
}

// TestATrainedEncoderServes compares what a service with a causal encoder logs of its
// replies with what the encoder itself says of the same history.
func TestATrainedEncoderServes(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	var known []string
	for _, it := range shelf()[:8] {
		known = append(known, it.Id)
	}
	b := causalBundle(t, known)
	var archive bytes.Buffer
	if err := b.Stream(&archive); err != nil {
		t.Fatal(err)
	}
	if _, err := s.send(archive.Bytes()); err != nil {
		t.Fatal(err)
	}
	s.promoted(string(b.Hash()))
	history := []string{"pen-1", "garden-5", "garden-2"}
	for i, id := range history {
		s.applied(s.write(view(fmt.Sprint("h", i), "ann", id)).WriteToken)
		expectLikeness(t, s, b, history[:i+1])
	}
	s.restart()
	expectLikeness(t, s, b, history)
	// An item that is new, and one whose text changes.
	renamed := shelf()[3]
	renamed.Title = "Seed box made of cedar wood"
	s.upsert(item("late-1", "Watering can, yellow", "Garden > Tools"), renamed)
	expectLikeness(t, s, b, history, item("late-1", "Watering can, yellow", "Garden > Tools"), renamed)
}

// expectLikeness has the service recommend to ann, and computes user_similarity of all
// items anew.
func expectLikeness(t *testing.T, s *shop, b *bundle.Bundle, history []string, changed ...*kindredv1.Item) {
	t.Helper()
	model, enc := must(learned.Load(b)), must(static.Default())
	texts := map[string][]float32{}
	for _, it := range append(shelf(), changed...) {
		v := make([]float32, enc.Info().Dim)
		text := itemtext.Fields{Title: it.Title, Categories: it.Categories}.Text()
		if err := enc.Encode(context.Background(), []string{text}, v); err != nil {
			t.Fatal(err)
		}
		texts[it.Id] = v
	}
	var acts []shops.Act
	for _, id := range history {
		acts = append(acts, shops.Act{Item: id, Text: texts[id], Weight: 1})
	}
	taste, of := make([]float32, model.Dim()), make([]float32, model.Dim())
	if !model.Encode(taste, acts) {
		t.Fatal("no user vector")
	}
	reply := s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 50})
	if len(reply.Items) < 12 || modelOf(reply.Info.Generation) != b.Hash().Short() {
		t.Fatalf("%d items of %s", len(reply.Items), reply.Info.Generation)
	}
	for _, d := range s.decisions() {
		if d.RecommendationId != reply.RecommendationId {
			continue
		}
		for i, got := range similarities(t, d) {
			id := d.Items[i].ItemId
			model.ItemVector(of, texts[id], id)
			var want float64
			for k := range of {
				want += float64(of[k]) * float64(taste[k])
			}
			if math.Abs(float64(got)-want) > 1e-4 {
				t.Errorf("after %v: %s has likeness %v, the encoder says %v", history, id, got, want)
			}
		}
		return
	}
	t.Error("the reply is not in the log")
}
