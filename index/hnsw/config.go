package hnsw

import (
	"cmp"
	"fmt"
	"runtime"

	"github.com/kindred-rec/kindred/index"
)

// Storage is how vectors are kept for the walk.
type Storage int

const (
	// Float32 keeps vectors as they are.
	Float32 Storage = iota
	// Int8 walks over codes of one byte an element, with a scale for each
	// vector, and scores the last candidates by the float vectors, which lie
	// in a file that the system may drop from memory.
	Int8
)

func (s Storage) String() string {
	switch s {
	case Float32:
		return "float32"
	case Int8:
		return "int8"
	}
	return fmt.Sprintf("Storage(%d)", int(s))
}

// Config bounds and tunes an index. Zero fields take the default named.
type Config struct {
	Dim      int // length of every vector, 1 to 65,536; no default
	MaxItems int // item numbers are below this; 1 to 2^30; no default
	// M is how many links a new node makes on each level, 2 to 64; 0 means 16.
	// A node keeps up to M links on upper levels and 2M on the lowest.
	M int
	// EfConstruction is how many candidates an Add looks at; at least M; 0
	// means 200.
	EfConstruction int
	// EfSearch is the effort of queries that name none; 0 means 64.
	EfSearch int
	// Seed draws the levels of nodes.
	Seed    uint64
	Storage Storage
	// Dir is where the float vectors of Int8 lie, in a file without a name
	// that vanishes with the process; empty means os.TempDir().
	Dir string
	// Walks bounds how many searches and writes run at once, and with it the
	// memory for them, one to two bytes a vector each; more wait. 0 means four
	// for each processor.
	Walks int
}

func (c Config) withDefaults() Config {
	c.M = cmp.Or(c.M, 16)
	c.EfConstruction = cmp.Or(c.EfConstruction, max(200, c.M))
	c.EfSearch = cmp.Or(c.EfSearch, 64)
	c.Walks = cmp.Or(c.Walks, 4*runtime.GOMAXPROCS(0))
	return c
}

func (c Config) validate() error {
	for _, b := range []struct {
		name         string
		v, low, high int
	}{
		{"Dim", c.Dim, 1, 1 << 16},
		{"MaxItems", c.MaxItems, 1, 1 << 30},
		{"M", c.M, 2, 64},
		{"EfConstruction", c.EfConstruction, c.M, 1 << 16},
		{"EfSearch", c.EfSearch, 1, 1 << 16},
		{"Storage", int(c.Storage), int(Float32), int(Int8)},
		{"Walks", c.Walks, 1, 1 << 16},
	} {
		if b.v < b.low || b.v > b.high {
			return fmt.Errorf("%w: %s is %d, must be %d to %d", index.ErrConfig, b.name, b.v, b.low, b.high)
		}
	}
	return nil
}

// maxNodes bounds the nodes of the graph: every item, and room for the nodes
// of deleted and replaced ones until they are reclaimed.
func (c Config) maxNodes() int { return c.MaxItems + c.MaxItems/4 + 256 }
