package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// asKindred makes a process of the test binary the program itself.
const asKindred = "KINDRED_TEST_AS_KINDRED"

// TestMain is the program in a process that asKindred is set for.
func TestMain(m *testing.M) {
	if os.Getenv(asKindred) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// served is a running service on a new store.
type served struct {
	*service.Service
	t    *testing.T
	conn *grpc.ClientConn
	data string
	stop func() // once
}

func serve(t *testing.T, edits ...func(*service.Config)) *served {
	t.Helper()
	config := service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Log: slog.New(slog.DiscardHandler)}
	config.Store.Sync = false
	for _, edit := range edits {
		edit(&config)
	}
	s, err := service.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &served{Service: s, t: t, conn: conn, data: config.Data, stop: stop}
}

var ringWords = strings.Fields("pen ink paper lamp hose rake shovel rose pot seed tent stove tarp rope boot coffee mug press filter bean")

// walked is when the first of them began: a second walk adds users to the first.
var walked = time.Now().Add(-48 * time.Hour)

// walk has so many users look at what comes next in a ring of items.
func (s *served) walk(users int) {
	s.t.Helper()
	var items []*kindredv1.Item
	for i, word := range ringWords {
		items = append(items, &kindredv1.Item{Id: fmt.Sprint("i", i), Title: "A " + word})
	}
	if _, err := kindredv1.NewCatalogServiceClient(s.conn).UpsertItems(s.t.Context(), &kindredv1.UpsertItemsRequest{Items: items}); err != nil {
		s.t.Fatal(err)
	}
	for u := range users {
		var events []*kindredv1.Event
		for step := range 6 {
			events = append(events, &kindredv1.Event{
				Id: fmt.Sprint(u, "-", step), UserId: fmt.Sprint("u", u), ItemId: fmt.Sprint("i", (u+step)%len(ringWords)), Type: kindredv1.EventType_EVENT_TYPE_VIEW,
				Time: timestamppb.New(walked.Add(time.Duration(u+step*2) * time.Minute)),
			})
		}
		reply, err := kindredv1.NewEventServiceClient(s.conn).WriteEvents(s.t.Context(), &kindredv1.WriteEventsRequest{Events: events})
		if err != nil || len(reply.Errors) > 0 {
			s.t.Fatal(err, reply.GetErrors())
		}
	}
}

// generation is what serves a request now.
func (s *served) generation() string {
	s.t.Helper()
	reply, err := kindredv1.NewRecommendationServiceClient(s.conn).Recommend(s.t.Context(), &kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: "u3"}, Limit: 5,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.Info.Generation
}

var quick = []string{"--epochs", "8", "--dim", "32"}

func TestTheTrainCommandGoesFromALogToServing(t *testing.T) {
	s := serve(t)
	s.walk(60)
	at := append([]string{"train", "--addr", s.Addr()}, quick...)
	said := says(t, "kindred models promote ", at...)
	if !strings.Contains(said, "360 events of 60 users on 20 items") || !strings.Contains(said, "by popularity alone") {
		t.Error(said)
	}
	out := says(t, `"promoted":true`, append(at, "--promote", "--json", "--seed", "2", "--out", t.TempDir())...)
	var line struct {
		Bundle, Path string
		Metrics      map[string]float64
		LogHead      uint64 `json:"log_head"`
		Serving      bool
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || !line.Serving || line.LogHead < 360 || line.Metrics["valid_ndcg_at_10"] <= line.Metrics["valid_popularity_ndcg_at_10"] {
		t.Fatalf("%v in %q", err, out)
	}
	if g := s.generation(); !strings.HasSuffix(g, line.Bundle[:12]) {
		t.Errorf("generation %q is not of model %s", g, line.Bundle)
	}
	if _, err := bundle.Open(line.Path, bundle.Limits{}); err != nil {
		t.Error(err)
	}
	again := says(t, `"promoted":true`, append(at, "--promote", "--json", "--seed", "3", "--out", t.TempDir())...)
	if err := json.Unmarshal([]byte(again), &line); err != nil {
		t.Fatal(err)
	}
	next, err := bundle.Open(line.Path, bundle.Limits{})
	if err != nil || !strings.Contains(out, string(next.Manifest().Parent)) || next.Manifest().Parent == "" {
		t.Errorf("%v: the parent is %q", err, next.Manifest().Parent)
	}
}

// renamed is an encoder of another name.
type renamed struct{ embed.Encoder }

func (renamed) Info() embed.Info { return embed.Info{Model: "another", Dim: 256} }
func (renamed) Immediate() bool  { return true }

func TestTheTrainCommandSaysWhatStandsInTheWay(t *testing.T) {
	s := serve(t)
	var coded interface{ ExitCode() int }
	_, err := command(t, "train", "--addr", s.Addr())
	if !errors.As(err, &coded) || coded.ExitCode() != 4 || !strings.Contains(err.Error(), "too little to train on: 0 events") {
		t.Errorf("an empty log: %v", err)
	}
	texts, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	other := serve(t, func(c *service.Config) { c.Shop.Encoder = renamed{texts} })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.walk(40)
	for _, c := range []struct {
		says string
		args []string
	}{
		{`the service encodes texts with "another"`, []string{"--addr", other.Addr()}},
		{"not a directory", []string{"--addr", s.Addr(), "--out", filepath.Join(file, "in")}},
		{"give --addr", nil},
		{"--out", []string{"--data", ".", "--format", "jsonl"}},
		{"is no size", []string{"--addr", s.Addr(), "--memory", "lots"}},
		{"dim is 33", []string{"--addr", s.Addr(), "--dim", "33"}},
		{"use --addr", []string{"--store", s.data}},
		{"no such file", []string{"--store", s.data + "/none"}},
		{"connect", []string{"--addr", "127.0.0.1:1"}},
	} {
		if _, err := command(t, append([]string{"train"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.args, err, c.says)
		}
	}
}

func TestAStoreThatIsNotServedIsTrainedOn(t *testing.T) {
	data := t.TempDir()
	s, err := service.Start(t.Context(), service.Config{Data: data, GRPC: "127.0.0.1:0", Store: store.DefaultOptions()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	(&served{Service: s, t: t, conn: conn}).walk(40)
	conn.Close()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	says(t, "it serves", append([]string{"train", "--store", data, "--promote"}, quick...)...)
	says(t, "is promoted: it serves when the service is started", "models", "list", "--data", data)
	if out, err := command(t, "keys", "list", "--data", data); err != nil || strings.Contains(out, "train") {
		t.Errorf("a lent key was kept: %q %v", out, err)
	}
}
