package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// click has users ask for lists and click some of what they are shown, mostly what comes first.
func (s *served) click(lists int) {
	s.t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	recommender, writer := kindredv1.NewRecommendationServiceClient(s.conn), kindredv1.NewEventServiceClient(s.conn)
	for i := range lists {
		user := fmt.Sprint("u", i%60)
		reply, err := recommender.Recommend(s.t.Context(), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: user}, Limit: 6})
		if err != nil {
			s.t.Fatal(err)
		}
		var events []*kindredv1.Event
		for k, it := range reply.Items {
			if r.Float64() < 0.6/float64(k+1) {
				events = append(events, &kindredv1.Event{
					Id: fmt.Sprint("c", i, "-", k), UserId: user, ItemId: it.ItemId, Type: kindredv1.EventType_EVENT_TYPE_CLICK,
					RecommendationId: reply.RecommendationId, Position: int32(k + 1),
				})
			}
		}
		if len(events) == 0 {
			continue
		}
		if written, err := writer.WriteEvents(s.t.Context(), &kindredv1.WriteEventsRequest{Events: events}); err != nil || len(written.Errors) > 0 {
			s.t.Fatal(err, written.GetErrors())
		}
	}
}

func TestTheTrainCommandLearnsFromClicksAndTakesAModelOfOnesOwn(t *testing.T) {
	s := serve(t)
	s.walk(60)
	s.click(500)
	at := append([]string{"train", "--addr", s.Addr()}, quick...)
	for _, c := range []struct {
		args               []string
		ranker, from, says string
	}{
		{[]string{"--ranker", "network", "--objectives", "click=2"}, "network", "clicks", "ranker: network, learned from"},
		{[]string{"--ranker-file", "../ranker/trees/testdata/lightgbm_binary.txt", "--seed", "2"}, "lightgbm", "file", "ranker: lightgbm, of your file"},
	} {
		said := says(t, c.says, append(at, c.args...)...)
		if !strings.Contains(said, " lists of the decision log") || !strings.Contains(said, "probability of click: off by") {
			t.Error(said)
		}
		out := says(t, `"bundle"`, append(append(at, c.args...), "--json")...)
		var line struct {
			Bundle  string
			Ranker  string
			From    string `json:"ranker_learned_from"`
			Choices int    `json:"ranker_choices"`
			Metrics map[string]float64
		}
		if err := json.Unmarshal([]byte(out), &line); err != nil || line.Ranker != c.ranker || line.From != c.from || line.Choices >= 200 != (c.from == "clicks") {
			t.Errorf("%v in %q", err, out)
		}
		if e, ok := line.Metrics["held out_calibration_error_click"]; !ok || e > 0.2 {
			t.Errorf("metrics %v", line.Metrics)
		}
		// People clicked at random: what was learned of it would not be promoted by itself.
		says(t, line.Bundle[:12], "models", "promote", line.Bundle, "--force", "--addr", s.Addr())
		if g := s.generation(); !strings.HasSuffix(g, line.Bundle[:12]) {
			t.Errorf("generation %q is not of model %s", g, line.Bundle)
		}
	}
	if _, err := command(t, append(at, "--objectives", "click")...); err == nil || !strings.Contains(err.Error(), "--objectives") {
		t.Errorf("%v", err)
	}
}
