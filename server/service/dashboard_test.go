package service

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kindred-rec/kindred/server/store"
)

var (
	descName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	metricName = regexp.MustCompile(`\b(?:kindred|go|process)_[a-z0-9_]+`)
)

// metricNames are those of all collectors of a service, whether they have a value or not.
func metricNames(t *testing.T, r *prometheus.Registry) map[string]bool {
	t.Helper()
	ch := make(chan *prometheus.Desc)
	go func() { r.Describe(ch); close(ch) }()
	names := map[string]bool{}
	for d := range ch {
		m := descName.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("no name in %s", d)
		}
		names[m[1]] = true
	}
	return names
}

func TestEveryMetricOfTheDashboardExists(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "kindred.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	config := Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions()}
	config.Store.Sync, config.Shop.MaxItems = false, 1<<10
	s, err := Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	names, used := metricNames(t, s.metrics.Registry), map[string]bool{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			found := metricName.FindAllString(target.Expr, -1)
			if len(found) == 0 {
				t.Errorf("panel %q: no metric in %s", p.Title, target.Expr)
			}
			for _, name := range found {
				used[name] = true
				if !names[name] && !names[strings.TrimSuffix(name, "_bucket")] {
					t.Errorf("panel %q: there is no metric %s", p.Title, name)
				}
			}
		}
	}
	if len(used) < 20 {
		t.Errorf("%d metrics on the dashboard, too few to be all of it", len(used))
	}
}
