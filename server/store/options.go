package store

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Options configures a store. Start from [DefaultOptions]; Open validates.
type Options struct {
	// Sync makes an acknowledgement wait for the disk. False is for bulk
	// experiments that can be repeated: a power cut then loses what the kernel
	// had not written, a killed process still loses nothing.
	Sync bool

	// QueueMutations and QueueBytes bound what waits for the committer, over all
	// tenants. Past either Append answers record.ErrOverloaded at once.
	QueueMutations int
	QueueBytes     int64
	// GroupMutations and GroupBytes bound what shares one sync. A batch that is
	// larger alone makes a group of its own.
	GroupMutations int
	GroupBytes     int64

	// MaxItems bounds the item numbers of a tenant: rows, deleted rows and items
	// known from events alone. MaxUsers bounds users and sessions together.
	MaxItems uint32
	MaxUsers uint64
	// MaxValue bounds one stored row in bytes, 1 KiB to 768 KiB.
	MaxValue int

	// DecisionTTL and ListTTL say how long decisions and page lists live.
	DecisionTTL time.Duration
	ListTTL     time.Duration

	// MemTable is the size of one of Badger's memtables in bytes, at least 8 MiB;
	// up to MemTables of them are in memory while they wait for the disk. Replay
	// after a crash reads as much.
	MemTable  int64
	MemTables int
	// BlockCache and IndexCache bound Badger's caches in bytes.
	BlockCache int64
	IndexCache int64
	// Uncompressed leaves tables as they are. They take about twice the disk; a compaction takes a third of the memory, and
	// reads come straight from the mapped files. A store may change from one to the other: new tables are as this says.
	Uncompressed bool
	// Directory bounds the entries of the committer's cache of users and items.
	Directory int
	// EventFilter is the size in bytes of the filter of event ids (seen), which is made
	// once events come. 10 bits an id spare nearly all lookups of new ids. 0: there is none.
	EventFilter int64

	// Reserve is the free space in bytes below which writes are refused with
	// record.ErrDiskFull. Badger writes through memory maps, and a map that finds
	// no space ends the process; the reserve is what its flushes and compactions
	// may need. 0 turns the check off.
	Reserve int64

	// FollowBuffer is how many groups a follower may lag behind the committer
	// before it holds the committer up.
	FollowBuffer int

	Logger *slog.Logger
	// Repair opens a store whose newest logs are damaged with all that can be read of them. Copies
	// of the damaged files are kept, and what is lost is logged. Without it Open
	// refuses them with a *DamageError.
	Repair bool

	// Now is the machine's clock; tests replace it. Badger expires rows by the
	// real clock whatever it says.
	Now func() time.Time
	// Random gives the numbers of persons and the store's secrets. They must not
	// be guessable, so that there is no seed: the default is crypto/rand.
	Random io.Reader
}

// DefaultOptions are fit for one shop on a small machine. The memtable is large
// because decisions are keyed by person as well as by time: each flush of such keys is
// merged with all that lies below, and with flushes four times as rare, that takes
// a quarter of the processor. Measured under load beside the rest of the service: half
// a gigabyte resident, mapped files included. A start after a crash reads at most one
// memtable for each of MemTables.
func DefaultOptions() Options {
	return Options{
		Sync:           true,
		QueueMutations: 65_536,
		QueueBytes:     64 << 20,
		GroupMutations: 8_192,
		GroupBytes:     2 << 20,
		MaxItems:       10_000_000,
		MaxUsers:       100_000_000,
		MaxValue:       512 << 10,
		DecisionTTL:    30 * 24 * time.Hour,
		ListTTL:        10 * time.Minute,
		MemTable:       64 << 20,
		MemTables:      3,
		BlockCache:     32 << 20,
		IndexCache:     32 << 20,
		Directory:      65_536,
		EventFilter:    16 << 20,
		Reserve:        512 << 20,
		FollowBuffer:   64,
		Logger:         slog.Default(),
		Now:            time.Now,
		Random:         rand.Reader,
	}
}

// Validate names the first option that Open would refuse.
func (o Options) Validate() error { return o.validate() }

// validate names the first option out of its range.
func (o Options) validate() error {
	for _, b := range []struct {
		name        string
		value       int64
		least, most int64
	}{
		{"QueueMutations", int64(o.QueueMutations), 1, 1 << 24},
		{"QueueBytes", o.QueueBytes, 1 << 16, 1 << 34},
		{"GroupMutations", int64(o.GroupMutations), 1, 1 << 20},
		{"GroupBytes", o.GroupBytes, 1 << 10, 1 << 30},
		{"MaxItems", int64(o.MaxItems), 1, 1<<32 - 2},
		{"MaxUsers", int64(o.MaxUsers), 1, 1 << 40},
		{"MaxValue", int64(o.MaxValue), 1 << 10, 768 << 10},
		{"DecisionTTL", int64(o.DecisionTTL), int64(time.Second), 1<<63 - 1},
		{"ListTTL", int64(o.ListTTL), int64(time.Second), 1<<63 - 1},
		{"MemTable", o.MemTable, 8 << 20, 1 << 30},
		{"MemTables", int64(o.MemTables), 1, 16},
		{"BlockCache", o.BlockCache, 1 << 20, 1 << 40},
		{"IndexCache", o.IndexCache, 1 << 20, 1 << 40},
		{"Directory", int64(o.Directory), 16, 1 << 28},
		{"EventFilter", o.EventFilter, 0, 1 << 36},
		{"Reserve", o.Reserve, 0, 1 << 50},
		{"FollowBuffer", int64(o.FollowBuffer), 1, 1 << 20},
	} {
		if b.value < b.least || b.value > b.most {
			return fmt.Errorf("store: option %s is %d, it must be %d to %d; start from DefaultOptions",
				b.name, b.value, b.least, b.most)
		}
	}
	switch {
	case o.Logger == nil:
		return fmt.Errorf("store: option Logger is nil; start from DefaultOptions")
	case o.Now == nil:
		return fmt.Errorf("store: option Now is nil; start from DefaultOptions")
	case o.Random == nil:
		return fmt.Errorf("store: option Random is nil; start from DefaultOptions")
	}
	return nil
}
