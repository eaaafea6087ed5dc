package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestServerThatDiesIsToldWithWhatWasMeasured(t *testing.T) {
	t.Parallel()
	f := &fake{items: 5}
	o := quickOptions(t, f, ModeRate)
	o.Empty, o.Plan.Duration, o.Plan.GiveUp = 0, time.Minute, time.Second
	const life = 1500 * time.Millisecond
	time.AfterFunc(life, func() { f.server.Stop() })
	began := time.Now()
	result, err := Run(t.Context(), o)
	if !errors.Is(err, ErrServerLost) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v; want one line of %v", err, ErrServerLost)
	}
	if result == nil || result.Step == nil || result.ServerLostS == nil {
		t.Fatal("what was measured is gone")
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the run of a minute went on for %v after its server was gone", took)
	}
	if at := *result.ServerLostS; at < 0.5 || at > 3 {
		t.Errorf("lost %.2f s into the run; the server was stopped after about %v", at, life)
	}
	if result.Errors["Unavailable"] == 0 || result.Histogram.TotalCount() == 0 {
		t.Errorf("errors %v, %d answers; want both counted", result.Errors, result.Histogram.TotalCount())
	}
	var text, page bytes.Buffer
	line, errJSON := json.Marshal(result)
	if err := errors.Join(errJSON, result.WriteTable(&text), result.Page().Write(&page)); err != nil {
		t.Fatal(err)
	}
	for name, has := range map[string]bool{"table": strings.Contains(text.String(), "last heard"), "report": strings.Contains(page.String(), "Server lost"),
		"JSON": bytes.Contains(line, []byte(`"server_lost_s"`))} {
		if !has {
			t.Errorf("the %s does not say when the server was lost", name)
		}
	}
}

func TestServerLostAtTheEndIsToldToo(t *testing.T) {
	t.Parallel()
	f := &fake{}
	client := f.serve(t, Target{})
	time.AfterFunc(300*time.Millisecond, func() { f.server.Stop() })
	step, err := client.Constant(t.Context(), onlyRecommend(200, time.Second), someUsers(), nil)
	if !errors.Is(err, ErrServerLost) || step == nil {
		t.Errorf("step %v, error %v", step, err)
	}
}

// A server that refuses everything, or is too slow for everybody, is there.
func TestOverloadIsNoLoss(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(context.Context) error{
		"refuses":     func(context.Context) error { return status.Error(codes.ResourceExhausted, "no room") },
		"unavailable": func(context.Context) error { return status.Error(codes.Unavailable, "draining") },
		"slow":        func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{before: before}
			plan := onlyRecommend(100, time.Second)
			plan.GiveUp = 200 * time.Millisecond
			step, err := f.serve(t, Target{Timeout: 300 * time.Millisecond}).Constant(t.Context(), plan, someUsers(), nil)
			if err != nil || step.ServerLostS != nil || step.failed() != 100 {
				t.Errorf("error %v, step %+v; want 100 failures and no loss", err, step)
			}
		})
	}
}

// A server that is restarted is found again within a second or so, not after gRPC's usual two minutes.
func TestServerThatComesBackIsFound(t *testing.T) {
	t.Parallel()
	f := &fake{}
	client := f.serve(t, Target{Connections: 1})
	plan := onlyRecommend(100, 6*time.Second)
	plan.GiveUp = time.Minute
	addr := client.target.Addr
	time.AfterFunc(500*time.Millisecond, func() {
		f.server.Stop()
		time.AfterFunc(2*time.Second, func() {
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			f.start(t, listener)
		})
	})
	step, err := client.Constant(t.Context(), plan, someUsers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	last := step.Points[len(step.Points)-1]
	late := step.Points[len(step.Points)-3]
	if step.Errors["Unavailable"] == 0 || late.Count == 0 {
		t.Errorf("errors %v; %d answers between %v and %v: the server was back after 2.5 s", step.Errors, late.Count, late.At, last.At)
	}
}
