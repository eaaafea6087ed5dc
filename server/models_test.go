package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/static"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
)

// textAlone reads users and items by the first components of their texts.
type textAlone struct{}

func (textAlone) Dim() int { return 2 }

func (textAlone) Window() int { return 5 }

func (textAlone) ItemVector(dst, _ []float32, _ string) bool { dst[0], dst[1] = 1, 0; return true }

func (textAlone) Encode(dst []float32, acts []shop.Act) bool {
	dst[0], dst[1] = 1, 0
	return len(acts) > 0
}

// command runs a command line and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Name("kindred"), kong.BindTo(t.Context(), (*context.Context)(nil)), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, r)
		out <- b.String()
	}()
	before := os.Stdout
	os.Stdout = w
	err = parsed.Run()
	os.Stdout = before
	w.Close()
	return <-out, err
}

// says runs a command that has to work and checks what it prints.
func says(t *testing.T, want string, args ...string) string {
	t.Helper()
	out, err := command(t, args...)
	if err != nil || !strings.Contains(out, want) {
		t.Errorf("%v: %v, printed %q, want %q", args, err, out, want)
	}
	return out
}

func testBundle(t *testing.T, root string) *bundle.Bundle {
	t.Helper()
	enc, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Write(root, bundle.Manifest{
		Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		TextEncoder: bundle.Space{Name: enc.Info().Model, Dim: enc.Info().Dim}, BehaviourDim: 2,
		Metrics: []bundle.Metric{{Name: "ndcg_at_10", Part: "test", Value: 0.125, Seed: 1}},
	}, map[string]bundle.Payload{"w": func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fill(t *testing.T, addr string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var items []*kindredv1.Item
	var events []*kindredv1.Event
	for i := range 8 {
		items = append(items, &kindredv1.Item{Id: fmt.Sprint("i", i), Title: fmt.Sprint("Gel pen number ", i)})
		for k := range 2 {
			events = append(events, &kindredv1.Event{
				Id: fmt.Sprint(i, "-", k), UserId: fmt.Sprint("u", i), ItemId: fmt.Sprint("i", (i+k)%8), Type: kindredv1.EventType_EVENT_TYPE_VIEW,
			})
		}
	}
	if _, err := kindredv1.NewCatalogServiceClient(conn).UpsertItems(t.Context(), &kindredv1.UpsertItemsRequest{Items: items}); err != nil {
		t.Fatal(err)
	}
	if _, err := kindredv1.NewEventServiceClient(conn).WriteEvents(t.Context(), &kindredv1.WriteEventsRequest{Events: events}); err != nil {
		t.Fatal(err)
	}
}

func TestTheModelsCommandsGoFromAFolderToServingAndBack(t *testing.T) {
	data := t.TempDir()
	config := service.Config{Data: data, GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Log: slog.New(slog.DiscardHandler)}
	config.Shop.Models.Load = func(*bundle.Bundle) (shop.Behaviour, error) { return textAlone{}, nil }
	s, err := service.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s.Addr())
	at := []string{"--addr", s.Addr()}
	b := testBundle(t, t.TempDir())
	hash := b.Hash().Short()
	says(t, "no models yet", append([]string{"models", "list"}, at...)...)
	says(t, "model "+hash+" is kept", append([]string{"models", "upload", b.Dir()}, at...)...)
	says(t, "no model serves; compare one", append([]string{"models", "list"}, at...)...)
	says(t, "ndcg_at_10 0.125 on test, seed 1", append([]string{"models", "show", hash}, at...)...)
	says(t, "have it serve: kindred models promote "+hash, append([]string{"models", "evaluate", hash}, at...)...)
	if _, err := command(t, append([]string{"models", "promote", hash, "--min-hit-rate-ratio", "99", "--min-cases", "1"}, at...)...); err == nil || !strings.Contains(err.Error(), "hit_rate_ratio is ") {
		t.Errorf("a threshold that does not hold: %v", err)
	}
	out := says(t, `"serving":true`, append([]string{"models", "promote", hash, "--json", "--force"}, at...)...)
	var line struct {
		Generation string `json:"generation"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || !strings.HasSuffix(line.Generation, hash) {
		t.Errorf("%v in %q", err, out)
	}
	says(t, "serving", append([]string{"models", "list"}, at...)...)
	away := t.TempDir()
	says(t, string(b.Hash()), append([]string{"models", "download", hash, "--out", away}, at...)...)
	if _, err := bundle.Open(filepath.Join(away, string(b.Hash())), bundle.Limits{}); err != nil {
		t.Error(err)
	}
	says(t, "no model serves now", append([]string{"models", "rollback"}, at...)...)
	if _, err := command(t, append([]string{"models", "rollback"}, at...)...); err == nil || !strings.Contains(err.Error(), "nothing to go back to") {
		t.Errorf("a second rollback: %v", err)
	}
	says(t, "serves (generation", append([]string{"models", "promote", hash}, at...)...)
	if _, err := command(t, "models", "list", "--data", data); err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("a served store: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	says(t, hash+" is promoted: it serves when the service is started", "models", "list", "--data", data)
	says(t, "2 dimensions", "models", "show", hash[:7], "--data", data)
	if _, err := command(t, "models", "show", "ffffff", "--data", data); err == nil {
		t.Error("a model that is not there is shown")
	}
	if _, err := command(t, "models", "list"); err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("no target: %v", err)
	}
}

func TestADamagedFolderIsNotSent(t *testing.T) {
	b := testBundle(t, t.TempDir())
	if err := os.WriteFile(b.Path("w"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "models", "upload", b.Dir(), "--addr", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "hash does not match") {
		t.Errorf("%v", err)
	}
}
