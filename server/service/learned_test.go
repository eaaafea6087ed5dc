package service_test

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/holdout"
)

// TestATrainedEncoderServesFromItsBundle has a service, as it is by default, serve a model
// that learned one thing: whoever comes from pen-1 goes to garden-3, and from pen-2 to
// garden-5.
func TestATrainedEncoderServesFromItsBundle(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "bob", "pen-2"), view("3", "eve", "pen-1"), view("4", "eve", "pen-2")).WriteToken)

	place := func(who, id string) int { // in a list of everything
		return slices.Index(ids(s.recommend(&kindredv1.RecommendRequest{Subject: user(who), Limit: 50}).Items), id)
	}
	before := map[string]int{"ann": place("ann", "garden-3"), "bob": place("bob", "garden-5")}
	st := s.status()
	m := learned.Model{
		Items: []string{"pen-1", "pen-2", "garden-3", "garden-5"}, MaxNorm: 1,
		Heads: []learned.Head{{Scale: 1, Head: transition.Head{
			Dim: 2, Items: 4, Decay: 0.5, Recent: 5,
			Input:  []float32{1, 0, 0, 1, 0, 0, 0, 0},
			Output: []float32{0, 0, 0, 0, 1, 0, 0, 1},
		}}},
	}
	about := bundle.Manifest{
		Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		TextEncoder: bundle.Space{Name: st.Encoder, Dim: int(st.VectorDimension)}, BehaviourDim: m.PlainDim(), Code: bundle.ThisBuild(),
	}
	b, err := bundle.Write(t.TempDir(), about, m.Payloads(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := b.Stream(&archive); err != nil {
		t.Fatal(err)
	}
	if _, err := s.send(archive.Bytes()); err != nil {
		t.Fatal(err)
	}
	s.promoted(string(b.Hash()))
	for who, want := range map[string]string{"ann": "garden-3", "bob": "garden-5"} {
		if got := s.favourite(user(who)); got != want {
			t.Errorf("%s is nearest to %q, want %q", who, got, want)
		}
		if now := place(who, want); now >= before[who] {
			t.Errorf("%s is shown %s at place %d, before at %d", who, want, now, before[who])
		}
	}
	// One click more, and the next reply knows of it.
	s.applied(s.write(view("5", "ann", "pen-2")).WriteToken)
	if got := s.favourite(user("ann")); got != "" {
		t.Errorf("after another click ann is nearest to %q alone", got)
	}
	s.applied(s.write(view("6", "cid", "pen-2")).WriteToken)
	if got := s.favourite(user("cid")); got != "garden-5" {
		t.Errorf("somebody new is nearest to %q, want garden-5", got)
	}
}

// TestTheRankersWeightsComeWithTheModel promotes the same encoder twice: alone, and with
// weights that let nothing else count.
func TestTheRankersWeightsComeWithTheModel(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "ann", "pen-1"), view("2", "ann", "pen-1"), view("3", "bob", "pen-1"), view("4", "bob", "pen-2")).WriteToken)
	st := s.status()
	m := learned.Model{
		Items: []string{"pen-1", "garden-3"}, MaxNorm: 1,
		Heads: []learned.Head{{Scale: 1, Head: transition.Head{
			Dim: 1, Items: 2, Decay: 0.5, Recent: 5, Input: []float32{1, 0}, Output: []float32{0, 1}}}},
	}
	first := func(more map[string]bundle.Payload) string {
		t.Helper()
		about := bundle.Manifest{
			Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			TextEncoder: bundle.Space{Name: st.Encoder, Dim: int(st.VectorDimension)}, BehaviourDim: m.PlainDim(), Code: bundle.ThisBuild(),
		}
		files := m.Payloads()
		maps.Copy(files, more)
		b, err := bundle.Write(t.TempDir(), about, files, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var archive bytes.Buffer
		if err := b.Stream(&archive); err != nil {
			t.Fatal(err)
		}
		if _, err := s.send(archive.Bytes()); err != nil {
			t.Fatal(err)
		}
		s.promoted(string(b.Hash()))
		return ids(s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 5}).Items)[0]
	}
	if got := first(nil); got == "garden-3" {
		t.Fatalf("%s is first with the default weights; the test would show nothing", got)
	}
	only := ranker.Weights{ranker.UserSimilarity: 100}
	got := first(map[string]bundle.Payload{bundle.RankerFile: func(w io.Writer) error { return holdout.Write(w, only) }})
	if got != "garden-3" {
		t.Errorf("%s is first, want garden-3: the model's own weights say so", got)
	}
}
