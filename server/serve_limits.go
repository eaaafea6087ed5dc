package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/service"
)

// limitFlags are the bounds of a service. What is past one is refused before work is done,
// with the bound's name.
type limitFlags struct {
	MaxMessage     config.Size `default:"8MiB" min:"64KiB" max:"1GiB" group:"Limits of the network" help:"The largest message that is taken. RESOURCE_EXHAUSTED past it."`
	MaxConnections int         `default:"10000" min:"1" max:"1000000" group:"Limits of the network" help:"Connections that are open at once. Further ones wait in the kernel's queue."`
	MaxStreams     uint32      `default:"1000" min:"1" max:"1000000" group:"Limits of the network" help:"Calls under way on one connection. Further ones wait at the client."`

	DrainDelay time.Duration `default:"1s" min:"0s" max:"10m" group:"Stopping" help:"How long a stop waits between the end of readiness and the drain, so that balancers and clients see it; calls are served meanwhile. Give two periods of the balancer's probe."`
	Drain      time.Duration `default:"10s" min:"1ms" max:"1h" group:"Stopping" help:"How long calls under way may take to end at a stop; then they are cut off."`

	Permits        int           `default:"0" zero:"" min:"1" max:"1000000" group:"Limits of requests" help:"Requests of a tenant that are ranked at once; those beyond are answered from the popular tier. 0: 64 for each thread of GOMAXPROCS."`
	TargetLatency  time.Duration `default:"0s" zero:"" min:"1ms" max:"10s" group:"Limits of requests" help:"Permits adapt to it: they fall, to a sixteenth at least, while more than a tenth of the requests take longer, and rise again up to permits. 0: there are always as many."`
	Bound          int           `default:"0" zero:"" min:"1" max:"10000000" group:"Limits of requests" help:"Requests of a tenant under way at once; those beyond are refused. At least permits. 0: 16 times permits."`
	FilterBytes    config.Size   `default:"4KiB" min:"1B" max:"1MiB" group:"Limits of requests" help:"Text of one filter."`
	FilterNodes    int           `default:"1024" min:"1" max:"1048576" group:"Limits of requests" help:"Fields, literals and operators of one filter together."`
	FilterDepth    int           `default:"64" min:"1" max:"250" group:"Limits of requests" help:"How deep the parentheses and operators of a filter nest."`
	FilterList     int           `default:"256" min:"1" max:"65536" group:"Limits of requests" help:"Literals of one list in a filter."`
	HistoryEvents  int           `default:"256" min:"16" max:"4096" group:"Limits of requests" help:"Latest events of a user that count."`
	SearchEncoding time.Duration `default:"50ms" min:"1ms" max:"10s" group:"Limits of requests" help:"How long a search text may take to encode; past it words alone find items."`

	MaxItems      uint32        `default:"1048576" min:"1" max:"1073741824" group:"Limits of the catalog and the store" help:"Items of a tenant, deleted ones and those known from events alone included. Memory is set aside for as many."`
	MaxUsers      uint64        `default:"100000000" min:"1" max:"1099511627776" group:"Limits of the catalog and the store" help:"Users and sessions of a tenant together."`
	MaxValue      config.Size   `default:"512KiB" min:"1KiB" max:"768KiB" group:"Limits of the catalog and the store" help:"One stored row: an item, an event, a policy."`
	DecisionTTL   time.Duration `name:"decision-ttl" default:"720h" min:"1s" group:"Limits of the catalog and the store" help:"How long logged decisions are kept."`
	ListTTL       time.Duration `name:"list-ttl" default:"10m" min:"1s" group:"Limits of the catalog and the store" help:"How long a list is kept for its further pages."`
	DiskReserve   config.Size   `default:"512MiB" max:"1024TiB" group:"Limits of the catalog and the store" help:"Free space below which writes are refused. 0: the disk may fill, which ends the process."`
	QueueRows     int           `default:"65536" min:"1" max:"16777216" group:"Limits of queues" help:"Rows and events of all tenants that wait for the disk."`
	QueueBytes    config.Size   `default:"64MiB" min:"64KiB" max:"16GiB" group:"Limits of queues" help:"Their bytes."`
	SyncRows      int           `default:"8192" min:"1" max:"1048576" group:"Limits of queues" help:"Rows and events that share one sync of the disk."`
	SyncBytes     config.Size   `default:"2MiB" min:"1KiB" max:"1GiB" group:"Limits of queues" help:"Their bytes."`
	DecisionQueue int           `default:"16384" min:"1" max:"16777216" group:"Limits of queues" help:"Decisions of a tenant that wait for the log; further ones are not logged, and counted."`
	EncodeBatch   int           `default:"256" min:"1" max:"4096" group:"Limits of queues" help:"Texts in one call of a slow encoder."`
	EncodeLanes   int           `default:"4" min:"1" max:"256" group:"Limits of queues" help:"Calls of a slow encoder under way at once."`
}

// memoryFlags bound memory.
type memoryFlags struct {
	Memory         config.Size `default:"0" zero:"" min:"128MiB" group:"Limits of memory" help:"Memory of Go, its heap above all, that the collector keeps to (as GOMEMLIMIT), and that caches and memtables below are cut to a share of where nothing sets them. Not covered: the store's memory maps, which the kernel takes back when others need them; a transformer's native memory; training's child. Vectors, index and catalog are in the heap, but grow with the catalog whatever is set here. 0: GOMEMLIMIT of the environment, or no limit."`
	ProfileCache   config.Size `default:"256MiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"Profiles of a tenant in memory. At most an eighth of memory where nothing sets it."`
	TextIndex      config.Size `default:"1GiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"Index of words of a tenant, about 500 bytes an item. At most a quarter of memory where nothing sets it."`
	FilterColumns  config.Size `default:"256MiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"Columns that filters of a tenant are answered from. At most an eighth of memory where nothing sets it."`
	FilterBitmaps  config.Size `default:"64MiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"Kept results of filters of a tenant. At most a 32nd of memory where nothing sets it."`
	FilterPrograms int         `default:"1024" min:"1" max:"1048576" group:"Limits of memory" help:"Compiled filters of a tenant that are kept."`
	BlockCache     config.Size `default:"32MiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"The store's cache of blocks. At most a 32nd of memory where nothing sets it."`
	IndexCache     config.Size `default:"32MiB" min:"1MiB" max:"1TiB" group:"Limits of memory" help:"The store's cache of its indexes. At most a 32nd of memory where nothing sets it."`
	Memtable       config.Size `default:"64MiB" min:"8MiB" max:"1GiB" group:"Limits of memory" help:"One memtable of the store, which takes 1.3 times as much of the heap. A start after a crash reads as much. At most a 32nd of memory where nothing sets it."`
	Compression    string      `name:"store-compression" default:"snappy" enum:"snappy,none" group:"Limits of memory" help:"How new tables of the store are packed. Unpacked ones take twice the disk, and a compaction a third of the memory. none where memory is below 1GiB and nothing sets it."`
	Memtables      int         `default:"3" min:"1" max:"16" group:"Limits of memory" help:"Memtables in memory at once."`
}

// shares are the parts of memory that caches and memtables are cut to.
func (m *memoryFlags) shares() map[string]share {
	return map[string]share{
		"profile-cache": {&m.ProfileCache, 8, 1 << 20}, "text-index": {&m.TextIndex, 4, 1 << 20}, "filter-columns": {&m.FilterColumns, 8, 1 << 20},
		"filter-bitmaps": {&m.FilterBitmaps, 32, 1 << 20}, "block-cache": {&m.BlockCache, 32, 1 << 20}, "index-cache": {&m.IndexCache, 32, 1 << 20},
		"memtable": {&m.Memtable, 32, 8 << 20},
	}
}

type share struct {
	size  *config.Size
	part  config.Size // one part of so many
	least config.Size
}

// memoryVariable is Go's own variable of the limit.
const memoryVariable = "GOMEMLIMIT"

// fit takes Go's own limit, as the environment has it, where nothing sets memory, and cuts what nothing sets to its share.
// The settings are told, so that they show it.
func (m *memoryFlags) fit(goLimit string, settings *config.Settings) {
	if limit := sizeOf(goLimit); m.Memory == 0 && limit > 0 {
		m.Memory = limit
		settings.Note("memory", config.Env, memoryVariable)
	}
	if m.Memory == 0 {
		return
	}
	if m.Memory < 1<<30 && !settings.Given("store-compression") {
		m.Compression = "none"
		settings.Note("store-compression", config.Default, "for memory "+m.Memory.String())
	}
	for name, s := range m.shares() {
		if settings.Given(name) {
			continue
		}
		if cut := max(s.least, m.Memory/s.part); cut < *s.size {
			*s.size = cut
			settings.Note(name, config.Default, "for memory "+m.Memory.String())
		}
	}
}

// sizeOf is a limit as Go reads it; 0 for none. Go has ended a process with one that it cannot read.
func sizeOf(goLimit string) (s config.Size) {
	if s.UnmarshalText([]byte(goLimit)) != nil {
		return 0
	}
	return s
}

// setLimit sets the collector's limit, if there is one.
func (m *memoryFlags) setLimit() {
	if m.Memory > 0 {
		debug.SetMemoryLimit(int64(m.Memory))
	}
}

// check reports limits that do not fit together.
func (l *limitFlags) check() error {
	permits := l.Permits
	if permits == 0 {
		permits = 64 * runtime.GOMAXPROCS(0)
	}
	var faults []error
	if l.Bound != 0 && l.Bound < permits {
		faults = append(faults, fmt.Errorf("bound is %d and permits %d: give a bound of at least permits, or 0 for 16 times as many", l.Bound, permits))
	}
	if l.SyncBytes > l.QueueBytes || l.SyncRows > l.QueueRows {
		faults = append(faults, fmt.Errorf("sync-rows is %d of queue-rows %d and sync-bytes %s of queue-bytes %s: a sync takes no more than the queue holds",
			l.SyncRows, l.QueueRows, l.SyncBytes, l.QueueBytes))
	}
	return errors.Join(faults...)
}

// put hands the limits to the parts of a service.
func (l *limitFlags) put(c *service.Config) {
	c.MaxMessage, c.MaxStreams, c.MaxConnections = int(l.MaxMessage), l.MaxStreams, l.MaxConnections
	c.Drain, c.DrainDelay = l.Drain, l.DrainDelay
	c.Shop.Permits, c.Shop.Bound, c.Shop.TargetLatency = l.Permits, l.Bound, l.TargetLatency
	c.Shop.HistoryEvents, c.Shop.SearchEncodeTimeout = l.HistoryEvents, l.SearchEncoding
	c.Shop.MaxItems, c.Shop.DecisionQueue = l.MaxItems, l.DecisionQueue
	c.Shop.Encoding.Batch, c.Shop.Encoding.Lanes = l.EncodeBatch, l.EncodeLanes
	c.Shop.Filters = filter.Limits{
		MaxBytes: int(l.FilterBytes), MaxNodes: l.FilterNodes, MaxDepth: l.FilterDepth, MaxList: l.FilterList,
	}
	s := &c.Store
	s.MaxItems, s.MaxUsers, s.MaxValue = l.MaxItems, l.MaxUsers, int(l.MaxValue)
	s.DecisionTTL, s.ListTTL, s.Reserve = l.DecisionTTL, l.ListTTL, int64(l.DiskReserve)
	s.QueueMutations, s.QueueBytes = l.QueueRows, int64(l.QueueBytes)
	s.GroupMutations, s.GroupBytes = l.SyncRows, int64(l.SyncBytes)
}

// put hands the bounds of memory to the parts of a service, after limitFlags.put.
func (m *memoryFlags) put(c *service.Config) {
	c.Shop.ProfileBytes, c.Shop.TextBytes = int64(m.ProfileCache), int64(m.TextIndex)
	f := &c.Shop.Filters
	f.MaxColumnBytes, f.MaxBitmapBytes, f.MaxPrograms = int(m.FilterColumns), int(m.FilterBitmaps), m.FilterPrograms
	s := &c.Store
	s.BlockCache, s.IndexCache, s.MemTable, s.MemTables = int64(m.BlockCache), int64(m.IndexCache), int64(m.Memtable), m.Memtables
	s.Uncompressed = m.Compression == "none"
}
