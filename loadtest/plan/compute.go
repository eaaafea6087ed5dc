package plan

import (
	"fmt"
	"math"
)

// Need is what is to be served. All above 0, to 1e15.
type Need struct {
	Items float64 `json:"items"`
	Users float64 `json:"users"`
	RPS   float64 `json:"rps"` // Recommend calls a second at the peak
}

// Assumptions are all that is not measured. Their fields' reasons are in Result.Assumptions.
type Assumptions struct {
	EventsPerUser    float64 // kept, on average
	ActiveShare      float64 // of users, whose profiles are in memory
	EventsPerRequest float64
	DecisionDays     float64 // that decisions are kept
	PeakFactor       float64 // peak rate over the mean rate
	Generations      float64 // of all items in memory at once
	HeapFactor       float64 // resident memory over live memory
	RequestGrowth    float64 // cost of a request at the planned items over that at the measured ones
	ClientShare      float64 // of the time of an empty call
	Utilization      float64 // of cores at the peak
	DiskHeadroom     float64 // disk over what is live
	MinReplicas      float64
	// A machine.
	Cores    float64
	MemoryGB float64 // of 1e9 bytes
	DiskGB   float64
}

// DefaultAssumptions are cautious ones.
func DefaultAssumptions() Assumptions {
	return Assumptions{EventsPerUser: 50, ActiveShare: 0.01, EventsPerRequest: 0.25, DecisionDays: 7, PeakFactor: 3, Generations: 2,
		HeapFactor: 1.5, RequestGrowth: 2, ClientShare: 0.5, Utilization: 0.5, DiskHeadroom: 1.5, MinReplicas: 2,
		Cores: 32, MemoryGB: 256, DiskGB: 4000}
}

// Assumption is one of them, explained.
type Assumption struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Flag  string  `json:"flag"`
	Why   string  `json:"why"`
}

// list explains each, with bounds.
func (a Assumptions) list() []struct {
	Assumption
	low, high float64
} {
	type row = struct {
		Assumption
		low, high float64
	}
	return []row{
		{Assumption{"events_per_user", a.EventsPerUser, "--events-per-user", "events kept of a user, on average over all users"}, 0, 1e6},
		{Assumption{"active_share", a.ActiveShare, "--active-share", "share of users whose profile is in memory at the peak; others are read when they come"}, 0, 1},
		{Assumption{"events_per_request", a.EventsPerRequest, "--events-per-request", "events written for each Recommend"}, 0, 1000},
		{Assumption{"decision_days", a.DecisionDays, "--decision-days", "days that decisions are kept"}, 0, 3650},
		{Assumption{"peak_factor", a.PeakFactor, "--peak-factor", "peak rate over the mean rate of a day: decisions pile up at the mean"}, 1, 1000},
		{Assumption{"generations", a.Generations, "--generations", "the old generation stays until its last reader is done: up to two sets of items in memory during a swap"}, 1, 2},
		{Assumption{"heap_factor", a.HeapFactor, "--heap-factor", "Go's collector lets the heap grow past what is live: 2 with GOGC=100, less under GOMEMLIMIT"}, 1, 10},
		{Assumption{"request_growth", a.RequestGrowth, "--request-growth", "a search walks further in a larger index: cost of a request at the planned items over that at the measured ones"}, 0.1, 1000},
		{Assumption{"client_share", a.ClientShare, "--client-share", "part of an empty call's time that is the client's: client and server were one process"}, 0, 1},
		{Assumption{"utilization", a.Utilization, "--utilization", "how busy cores may be at the peak; above it waiting shows in p99"}, 0.01, 1},
		{Assumption{"disk_headroom", a.DiskHeadroom, "--disk-headroom", "disk over what is live: tables that are being merged, snapshots"}, 1, 100},
		{Assumption{"min_replicas", a.MinReplicas, "--min-replicas", "so that one may fail"}, 1, 1e6},
		{Assumption{"cores", a.Cores, "--cores", "cores of a machine"}, 1, 1e5},
		{Assumption{"memory_gb", a.MemoryGB, "--memory-gb", "memory of a machine, 1e9 bytes"}, 0.1, 1e7},
		{Assumption{"disk_gb", a.DiskGB, "--disk-gb", "disk of a machine, 1e9 bytes"}, 0.1, 1e9},
	}
}

// Result is a plan. Encoded, it is one JSON object.
type Result struct {
	Need Need `json:"need"`
	// Of each replica, bytes.
	ItemMemory    float64 `json:"item_memory_bytes"`
	ProfileMemory float64 `json:"profile_memory_bytes"`
	FixedMemory   float64 `json:"fixed_memory_bytes"`
	Memory        float64 `json:"memory_bytes"`
	ItemDisk      float64 `json:"item_disk_bytes"`
	EventDisk     float64 `json:"event_disk_bytes"`
	DecisionDisk  float64 `json:"decision_disk_bytes"` // spread over the replicas: each logs its own replies
	Disk          float64 `json:"disk_bytes"`
	// Of all replicas together. Every replica follows the log, so that the events of all cost cores on each.
	RecommendCores float64 `json:"recommend_cores"`
	EventCores     float64 `json:"event_cores_per_replica"`
	Replicas       int     `json:"replicas"`
	// Fits says whether machines as assumed can hold it; Obstacles why not.
	Fits        bool         `json:"fits"`
	Obstacles   []string     `json:"obstacles"`
	Assumptions []Assumption `json:"assumptions"`
	Costs       Costs        `json:"costs"`
}

// Compute makes the plan.
func Compute(need Need, a Assumptions, costs Costs) (*Result, error) {
	for name, v := range map[string]float64{"items": need.Items, "users": need.Users, "rps": need.RPS} {
		if !(v > 0 && v <= 1e15) {
			return nil, fmt.Errorf("plan: %s %v: must be above 0 and at most 1e15; give --%s", name, v, name)
		}
	}
	if err := costs.validate(); err != nil {
		return nil, err
	}
	r := &Result{Need: need, Costs: costs, Obstacles: []string{}}
	for _, row := range a.list() {
		if !(row.Value >= row.low && row.Value <= row.high) {
			return nil, fmt.Errorf("plan: %s %v: must be %g to %g", row.Flag, row.Value, row.low, row.high)
		}
		r.Assumptions = append(r.Assumptions, row.Assumption)
	}
	r.memory(a)
	r.cores(a)
	r.disk(a)
	r.Fits = len(r.Obstacles) == 0
	return r, nil
}

func (r *Result) obstacle(format string, args ...any) {
	r.Obstacles = append(r.Obstacles, fmt.Sprintf(format, args...))
}

func (r *Result) memory(a Assumptions) {
	c := r.Costs
	r.ItemMemory = r.Need.Items * c.ItemMemory * a.Generations * a.HeapFactor
	r.ProfileMemory = r.Need.Users * a.ActiveShare * c.ProfileMemory * a.HeapFactor
	r.FixedMemory = c.FixedMemory * a.HeapFactor
	r.Memory = r.ItemMemory + r.ProfileMemory + r.FixedMemory
	if r.Memory > a.MemoryGB*1e9 {
		r.obstacle("a replica needs %s of memory and a machine has %s: a replica holds all items, so that more of them do not help; take larger machines, an int8 index, fewer generations or a smaller active share, or split the catalog into tenants",
			bytesText(r.Memory), bytesText(a.MemoryGB*1e9))
	}
}

func (r *Result) cores(a Assumptions) {
	c := r.Costs
	off := a.ClientShare * c.EmptyCPU
	server := func(us float64) float64 { return math.Max(us-off, 0) / 1e6 } // seconds
	r.RecommendCores = r.Need.RPS * server(c.RecommendCPU) * a.RequestGrowth
	r.EventCores = r.Need.RPS * a.EventsPerRequest * server(c.EventCPU)
	room := a.Cores*a.Utilization - r.EventCores // for Recommend, on each
	if room <= 0 {
		room = a.Cores * a.Utilization // what it would take at least
		r.obstacle("following the log takes %.1f cores on each replica and a machine has %.1f to give: that is measured with one event a call, which costs the most: write in batches, or take machines with more cores",
			r.EventCores, a.Cores*a.Utilization)
	}
	replicas := math.Max(math.Ceil(r.RecommendCores/room), math.Ceil(a.MinReplicas))
	r.Replicas = int(math.Min(replicas, math.MaxInt32))
}

const day = 24 * 3600

func (r *Result) disk(a Assumptions) {
	c := r.Costs
	r.ItemDisk = r.Need.Items * c.ItemDisk * a.DiskHeadroom
	r.EventDisk = r.Need.Users * a.EventsPerUser * c.EventDisk * a.DiskHeadroom
	decisions := r.Need.RPS / a.PeakFactor * day * a.DecisionDays
	r.DecisionDisk = decisions * c.DecisionDisk * a.DiskHeadroom / float64(r.Replicas)
	r.Disk = r.ItemDisk + r.EventDisk + r.DecisionDisk
	if r.Disk > a.DiskGB*1e9 {
		r.obstacle("a replica needs %s of disk and a machine has %s; keep decisions for fewer days, or fewer events a user, or take larger disks",
			bytesText(r.Disk), bytesText(a.DiskGB*1e9))
	}
}

// bytesText writes bytes in units of 1000.
func bytesText(v float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	i := 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}
