package plan

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A small measurement finds costs that are of the order they must be: what a structure holds at least, and not many times it.
func TestMeasurementIsOfRealStructures(t *testing.T) {
	dir := t.TempDir()
	var told []string
	m := Measurement{Items: 1000, Users: 100, EventsPerUser: 10, Span: 100 * time.Millisecond, Dir: dir,
		Progress: func(what string, share float64) { told = append(told, what) }}
	c, err := Measure(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	vector := float64(4 * c.Dim)
	for name, b := range map[string]struct{ got, low, high float64 }{
		"index, float32": {c.IndexFloat32, vector, 3 * vector},
		"index, int8":    {c.IndexInt8, float64(c.Dim), c.IndexFloat32},
		"mapped":         {c.IndexInt8Mapped, vector, 3 * vector},
		"catalog row":    {c.CatalogRow, 50, 5000},
		"item":           {c.ItemMemory, vector, 50_000},
		"item on disk":   {c.ItemDisk, 50, 50_000},
		"profile":        {c.ProfileMemory, 100, 200_000},
		"event on disk":  {c.EventDisk, 20, 5000},
		"decision":       {c.DecisionDisk, 0, 100_000},
		"empty call":     {c.EmptyCPU, 1, 20_000},
		"Recommend":      {c.RecommendCPU, c.EmptyCPU / 2, 200_000},
		"event":          {c.EventCPU, c.EmptyCPU / 2, 200_000},
		"the service":    {c.FixedMemory, 0, 4e9},
		"parts told of":  {float64(len(told)), 7, 7},
	} {
		if !(b.got >= b.low && b.got <= b.high) {
			t.Errorf("%s costs %v; must be %v to %v", name, b.got, b.low, b.high)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
	path := filepath.Join(dir, "costs.json")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if again, err := Read(path); err != nil || again != c {
		t.Errorf("read again: %+v, error %v", again, err)
	}
}

// Ten events and one decision take 1,100, one event and two decisions 300 bytes: 100 each.
func TestDiskIsToldApart(t *testing.T) {
	if event, decision := solve(equation{10, 1, 1100}, equation{1, 2, 300}); event != 100 || decision != 100 {
		t.Errorf("an event takes %v, a decision %v", event, decision)
	}
}
