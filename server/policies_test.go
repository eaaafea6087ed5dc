package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// serving starts a service with a small catalog and returns the flags that reach it.
func serving(t *testing.T) []string {
	t.Helper()
	config := service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Log: slog.New(slog.DiscardHandler)}
	s, err := service.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	fill(t, s.Addr())
	return []string{"--addr", s.Addr()}
}

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestThePoliciesCommandsGoFromAFileToServing(t *testing.T) {
	at := serving(t)
	run := func(want string, args ...string) string { t.Helper(); return says(t, want, append(args, at...)...) }
	fails := func(want string, args ...string) {
		t.Helper()
		if _, err := command(t, append(args, at...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	run("default", "policies", "list")
	good := fileOf(t, `{"name": "home", "rules": [{"name": "hero", "item_id": "i3", "pin": {"slot": 1}}]}`)
	run("home/1 would be put", "policies", "put", good, "--dry-run")
	run("home/1 is put", "policies", "put", good, "--expect", "0")
	fails("version 1 by now, 0 is expected", "policies", "put", good, "--expect", "0")
	run("home/2 is put", "policies", "put", good)
	fails("line 1, column 8", "policies", "put", fileOf(t, `{"name": "home", "rules": [{"name": "x", "condition": "price <", "bury": {}}, {"name": "x"}]}`))
	fails("policy.rules[1].action", "policies", "put", fileOf(t, `{"name": "Home", "rules": [{"name": "x", "condition": "true", "bury": {}}, {"name": "x"}]}`))
	fails("unknown field", "policies", "put", fileOf(t, `{"nam": "home"}`))
	kept := fileOf(t, run(`"slot": 1`, "policies", "get", "home"))
	run("home/3 is put", "policies", "put", kept) // it says version 2, which is the last
	fails("version 3 by now, 2 is expected", "policies", "put", kept)
	run("home/4 is put", "policies", "put", kept, "--any")
	run(`"version":4`, "policies", "list", "--json")

	trial := fileOf(t, `{"name": "spring", "status": "EXPERIMENT_STATUS_RUNNING", "surfaces": ["home"],
		"variants": [{"name": "control", "share": 0.5}, {"name": "bold", "policy": "home", "share": 0.5}]}`)
	run("no experiments yet", "experiments", "list")
	run("spring is put (revision 1)", "experiments", "put", trial)
	run("control 0.5, bold 0.5", "experiments", "list")
	fails("experiment \"spring\"", "policies", "delete", "home")
	run("spring is stopped (revision 2)", "experiments", "stop", "spring")
	run("EXPERIMENT_STATUS_STOPPED", "experiments", "get", "spring")
	run("spring is deleted", "experiments", "delete", "spring")
	run("home is deleted", "policies", "delete", "home")
	fails("not found", "policies", "get", "home")
}

// TestBulkWritesAFileAndGoesOn cuts a file short where an interruption would.
func TestBulkWritesAFileAndGoesOn(t *testing.T) {
	at := serving(t)
	out := filepath.Join(t.TempDir(), "lists.jsonl")
	says(t, "8 lists are in", append([]string{"bulk", "--out", out, "--limit", "2", "--seed", "3"}, at...)...)
	whole, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	var first struct {
		Subject struct {
			User string `json:"user_id"`
		}
		Items []struct {
			ID string `json:"item_id"`
		}
		ID string `json:"recommendation_id"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first.Subject.User != "u0" || len(first.Items) != 2 || len(lines) != 9 {
		t.Errorf("%v: %d lines, the first is %v", err, len(lines), first)
	}
	if _, err := command(t, append([]string{"bulk", "--out", out}, at...)...); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a file that exists: %v", err)
	}
	if _, err := command(t, append([]string{"bulk", "--out", out, "--continue"}, at...)...); err == nil || !strings.Contains(err.Error(), "nothing to go on from") {
		t.Errorf("without a cursor: %v", err)
	}
	// An interruption leaves lists past the cursor, and half of one.
	conn, err := grpc.NewClient(at[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := kindredv1.NewRecommendationServiceClient(conn).RecommendBulk(t.Context(), &kindredv1.RecommendBulkRequest{
		Request: &kindredv1.RecommendRequest{Limit: 2, Seed: 3}, Segment: &kindredv1.Segment{}, MaxResults: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := stream.Recv()
	if err != nil || len(page.Results) != 3 || page.Cursor == "" {
		t.Fatalf("%v: %v", err, page)
	}
	head := strings.Join(lines[:3], "")
	state, err := json.Marshal(bulkState{Cursor: page.Cursor, Bytes: int64(len(head))})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(out, []byte(head+lines[3]+lines[4][:20]), 0o600), os.WriteFile(out+".cursor", state, 0o600)); err != nil {
		t.Fatal(err)
	}
	says(t, "5 lists are in", append([]string{"bulk", "--out", out, "--limit", "2", "--seed", "3", "--continue"}, at...)...)
	again, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.SplitAfter(string(again), "\n") {
		who := fmt.Sprintf(`"user_id":"u%d"`, i)
		if i < 8 && !strings.Contains(line, who) {
			t.Errorf("line %d is %q, want one of u%d", i, line, i)
		}
	}
	if n := strings.Count(string(again), "\n"); n != 8 {
		t.Errorf("%d lines", n)
	}
	if _, err := os.Stat(out + ".cursor"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cursor stays: %v", err)
	}
	users := fileOf(t, "u0\nu1\n\nu2\n")
	says(t, "3 lists are in", append([]string{"bulk", "--out", out + "2", "--users", users}, at...)...)
	if _, err := command(t, append([]string{"bulk", "--out", out + "3", "--users", fileOf(t, "\n")}, at...)...); err == nil {
		t.Error("a list of nobody is taken")
	}
	says(t, "the same items in the same order", append([]string{"reproduce", first.ID}, at...)...)
}
