package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// Costs are what one of each takes, measured. Bytes and microseconds of one core.
type Costs struct {
	MeasuredAt time.Time    `json:"measured_at"`
	Machine    load.Machine `json:"machine"`
	// Of what: the sizes between which the slopes were taken.
	Items         int `json:"measured_items"`
	Users         int `json:"measured_users"`
	EventsPerUser int `json:"measured_events_per_user"`
	Dim           int `json:"vector_dimensions"`

	// FixedMemory is what the service takes before its first item.
	FixedMemory float64 `json:"fixed_memory_bytes"`
	// ItemMemory is all that a served item takes: row, vector, index, counters. ItemDisk is that on disk, its log entry and its
	// part of the index's file.
	ItemMemory float64 `json:"item_memory_bytes"`
	ItemDisk   float64 `json:"item_disk_bytes"`
	// Of an item, measured apart: the catalog's row, and vector and links in the index as float32 and as int8. The int8 index
	// keeps the float32 vectors in a mapped file, IndexInt8Mapped.
	CatalogRow      float64 `json:"catalog_row_bytes"`
	IndexFloat32    float64 `json:"index_float32_bytes"`
	IndexInt8       float64 `json:"index_int8_bytes"`
	IndexInt8Mapped float64 `json:"index_int8_mapped_bytes"`
	// ProfileMemory is a user in memory, with EventsPerUser events and a ranking.
	ProfileMemory float64 `json:"profile_memory_bytes"`
	// EventDisk is an event on disk with its part of its user's entries, DecisionDisk what the log keeps of one reply.
	EventDisk    float64 `json:"event_disk_bytes"`
	DecisionDisk float64 `json:"decision_disk_bytes"`
	// Time of one core for a Recommend of ten items, a WriteEvents of one event, and an empty call; the client's part included.
	RecommendCPU float64 `json:"recommend_cpu_us"`
	EventCPU     float64 `json:"event_cpu_us"`
	EmptyCPU     float64 `json:"empty_cpu_us"`
}

// validate looks for what a plan cannot be made from.
func (c Costs) validate() error {
	if c.MeasuredAt.IsZero() {
		return errors.New("plan: the costs have no measured_at: they are not from a measurement; measure with --measure")
	}
	for name, v := range map[string]float64{"item_memory_bytes": c.ItemMemory, "item_disk_bytes": c.ItemDisk, "profile_memory_bytes": c.ProfileMemory,
		"event_disk_bytes": c.EventDisk, "recommend_cpu_us": c.RecommendCPU, "event_cpu_us": c.EventCPU} {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("plan: %s is %v: must be above 0; other work on the machine may have drowned it: measure again, or with more --sample-items", name, v)
		}
	}
	for name, v := range map[string]float64{"fixed_memory_bytes": c.FixedMemory, "decision_disk_bytes": c.DecisionDisk, "empty_cpu_us": c.EmptyCPU} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("plan: %s is %v: must be at least 0; measure again", name, v)
		}
	}
	return nil
}

// Read reads costs of a former measurement.
func Read(path string) (Costs, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Costs{}, fmt.Errorf("plan: costs: %w", err)
	}
	var c Costs
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("plan: costs of %s: %w", path, err)
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%w (in %s)", err, path)
	}
	return c, nil
}

// Write keeps costs in a file, which is replaced whole or left as it was.
func (c Costs) Write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("plan: costs: %w", err)
	}
	if err := renameio.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("plan: write costs to %s: %w", path, err)
	}
	return nil
}
