package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/demo"
)

// Measurement says how much to measure with. More takes longer and says more.
type Measurement struct {
	// Items is a half of the catalog: costs are slopes from Items to twice as many. 100 to 1,000,000.
	Items int
	// Users is a half of the users, 10 to 1,000,000; EventsPerUser what each does, 1 to 200.
	Users, EventsPerUser int
	// Span is how long each kind of call is made, above 0.
	Span time.Duration
	// Dir is where the temporary folder is made, on the disk that is to be measured; empty: the system's.
	Dir string
	// Progress, if not nil, is told what goes on and the share done, 0 to 1.
	Progress func(what string, share float64)
}

// DefaultMeasurement takes some seconds.
func DefaultMeasurement() Measurement {
	return Measurement{Items: 4000, Users: 500, EventsPerUser: 20, Span: time.Second}
}

func (m Measurement) validate() error {
	if m.Items < 100 || m.Items > 1_000_000 || m.Users < 10 || m.Users > 1_000_000 || m.EventsPerUser < 1 || m.EventsPerUser > 200 || m.Span <= 0 {
		return fmt.Errorf("plan: measure with %d items, %d users, %d events each, %v a call: must be 100 to 1,000,000, 10 to 1,000,000, 1 to 200, and above 0",
			m.Items, m.Users, m.EventsPerUser, m.Span)
	}
	return nil
}

// step is a part of a measurement. Each but the first two runs on a service that is started for it and stopped after it.
type step struct {
	what string
	do   func(context.Context) error
}

// Measure measures on real structures: the service with its store in a temporary folder, which is removed again, the index
// and the catalog. Nothing else should run on the machine meanwhile.
func Measure(ctx context.Context, m Measurement) (costs Costs, err error) {
	if err := m.validate(); err != nil {
		return costs, err
	}
	shop, err := demo.Generate(demo.Config{Seed: 1, Users: 1, Weeks: 1})
	if err != nil {
		return costs, fmt.Errorf("plan: %w", err)
	}
	dir, err := os.MkdirTemp(m.Dir, "kindred-plan-")
	if err != nil {
		return costs, fmt.Errorf("plan: a folder to measure in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &sample{m: m, dir: dir, templates: shop.Items}
	s.costs = Costs{MeasuredAt: time.Now().UTC().Truncate(time.Second), Machine: load.MachineFor("127.0.0.1:0"), Items: m.Items, Users: m.Users, EventsPerUser: m.EventsPerUser}
	steps := []step{{"the index", s.index}, {"the catalog", s.catalog}, {"an empty store", s.baseline}, {"items", s.items}, {"profiles and events", s.events},
		{"calls", s.calls}, {"requests and decisions", s.requests}}
	for i, step := range steps {
		if m.Progress != nil {
			m.Progress(step.what, float64(i)/float64(len(steps)))
		}
		if err := ctx.Err(); err != nil {
			return costs, err
		}
		if err := step.do(ctx); err != nil {
			return costs, fmt.Errorf("plan: measure %s: %w", step.what, err)
		}
	}
	return s.costs, nil
}

// sample is a measurement under way.
type sample struct {
	m         Measurement
	dir       string
	templates []*kindredv1.Item
	costs     Costs
}

// live is the memory that is reachable, bytes.
func live() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // finalizers and pools need a second one
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// item is the catalog's row of a number: one of the demo shop's, under an id and a title of its own.
func (s *sample) item(number int) *kindredv1.Item {
	t := s.templates[number%len(s.templates)]
	return &kindredv1.Item{Id: fmt.Sprintf("%s-%d", t.Id, number), Title: fmt.Sprintf("%s %d", t.Title, number), Description: t.Description,
		Price: t.Price, Categories: t.Categories, Tags: t.Tags, Brand: t.Brand}
}
