package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// An experiment runs on a real server: 40 users are shown lists, those of the variant click, and the read-out says so.
func TestExperimentIsReadOutOfTheService(t *testing.T) {
	addr := startShop(t)
	client, err := load.Dial(t.Context(), load.Target{Addr: addr, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}()
	trials := kindredv1.NewExperimentServiceClient(client.Conn())
	if _, err := trials.PutExperiment(t.Context(), &kindredv1.PutExperimentRequest{Experiment: &kindredv1.Experiment{Name: "tea",
		Status:   kindredv1.ExperimentStatus_EXPERIMENT_STATUS_RUNNING,
		Variants: []*kindredv1.Variant{{Name: "control", Share: 0.5}, {Name: "new", Share: 0.5}}}}); err != nil {
		t.Fatal(err)
	}
	recommend, events := kindredv1.NewRecommendationServiceClient(client.Conn()), kindredv1.NewEventServiceClient(client.Conn())
	users, clicks := map[string]int{}, 0
	write := func(e *kindredv1.Event) {
		reply, err := events.WriteEvents(t.Context(), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{e}})
		if err != nil || len(reply.Errors) > 0 {
			t.Fatalf("error %v, %v", err, reply)
		}
	}
	for i := range 40 {
		id := fmt.Sprint("tester", i)
		write(&kindredv1.Event{UserId: id, Type: kindredv1.EventType_EVENT_TYPE_VIEW, ItemId: "i01"}) // or the server has no number for them
		list, err := recommend.Recommend(t.Context(), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: id}, Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		variant := list.Info.GetAssignment().GetVariant()
		users[variant]++
		if variant == "new" {
			clicks++
			write(&kindredv1.Event{UserId: id, Type: kindredv1.EventType_EVENT_TYPE_CLICK, ItemId: list.Items[0].ItemId, RecommendationId: list.RecommendationId})
			write(&kindredv1.Event{UserId: id, Type: kindredv1.EventType_EVENT_TYPE_PURCHASE, ItemId: list.Items[0].ItemId})
		}
	}
	if _, err := recommend.Recommend(t.Context(), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: "newcomer"}, Limit: 5}); err != nil {
		t.Fatal(err)
	}
	// The log goes on for longer than the window.
	write(&kindredv1.Event{UserId: "later", Type: kindredv1.EventType_EVENT_TYPE_VIEW, ItemId: "i01", Time: timestamppb.New(time.Now().Add(50 * time.Minute))})

	var out, log string
	code := -1
	for range 50 { // decisions are logged behind the reply
		if code, out, log = call(t, "experiment", "tea", "--addr", addr, "--window", "30m", "--json"); code == 0 && strings.Contains(out, `"newcomers":1`) && strings.Contains(out, fmt.Sprintf(`"assigned_users":%d`, users["new"])) &&
			strings.Contains(out, fmt.Sprintf(`"assigned_users":%d`, users["control"])) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	variants := lastObject(t, out)["variants"].([]any)
	fresh := variants[1].(map[string]any)
	if fresh["variant"] != "new" || fresh["users"] != float64(users["new"]) || fresh["clicks"] != float64(clicks) || fresh["purchases"] != float64(clicks) ||
		fresh["items_shown"] != float64(5*users["new"]) {
		t.Errorf("%d users, %d of whom clicked and bought: %v", users["new"], clicks, fresh)
	}
	if control := variants[0].(map[string]any); control["clicks"] != 0.0 || control["users"] != float64(users["control"]) {
		t.Errorf("control of %d users: %v", users["control"], control)
	}
	if warning, _ := lastObject(t, out)["warning"].(string); !strings.HasPrefix(warning, "1 of 41 lists were for newcomers") {
		t.Errorf("warning %q", warning)
	}
	picture := filepath.Join(t.TempDir(), "x.md")
	if code, out, log = call(t, "experiment", "tea", "--addr", addr, "--window", "30m", "--report", picture); code != 0 || !strings.Contains(out, "too few users") {
		t.Errorf("code %d, %s\n%s", code, log, out)
	}
	if page, err := os.ReadFile(picture); err != nil || !strings.HasPrefix(string(page), "# Experiment tea") {
		t.Errorf("report %.40q, error %v", page, err)
	}
	for want, args := range map[string][]string{
		"give both":           {"tea", "--decisions", "d.jsonl"},
		`"coffee"`:            {"coffee"},
		"is not VARIANT":      {"tea", "--shares", "control"},
		"stands twice":        {"tea", "--shares", "a=1,a=1"},
		"--since":             {"tea", "--since", "yesterday"},
		"nobody was assigned": {"tea", "--since", "2999-01-01T00:00:00Z"},
	} {
		if code, _, log := call(t, append([]string{"experiment", "--addr", addr}, args...)...); code != 1 || !strings.Contains(log, want) || strings.Count(log, "\n") != 1 {
			t.Errorf("%v: code %d, %q; want %q", args, code, log, want)
		}
	}
}
