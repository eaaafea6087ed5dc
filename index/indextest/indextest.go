// Package indextest is the conformance suite of index engines: one body of
// tests, one constructor hook per engine.
//
//	func TestConformance(t *testing.T) {
//		indextest.Run(t, indextest.Engine{Name: "mine", New: ..., Load: ...})
//	}
//
// Exact engines must answer as a plain loop over all vectors does. Others must
// reach a recall@10 of .95 on clustered vectors, and may miss items but never
// invent, repeat, misscore or misorder them. An engine that cannot meet a
// requirement names it in Falls, with the reason; the suite then says so by
// name instead of passing over it. Run it under the race detector.
package indextest

import (
	"io"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

// Engine is what the suite runs against.
type Engine struct {
	Name string
	// New makes an empty index.
	New func(t testing.TB, dim, maxItems int) index.Index
	// Load reads what Snapshot wrote.
	Load func(r io.Reader, dim, maxItems int) (index.Index, error)
	// Exact says that every answer is the exact one.
	Exact bool
	// Falls holds what the engine cannot meet, and why.
	Falls map[Requirement]string
	// RecallFloor is what an engine that falls short of Recall must reach
	// instead, so that it does not get worse unnoticed.
	RecallFloor float64
}

// Requirement is a part of the suite that an engine may fall short of.
type Requirement string

// The requirements.
const (
	// Recall: recall@10 of .95 over clustered vectors.
	Recall Requirement = "recall"
	// NoAllocation: a search allocates nothing in steady state.
	NoAllocation Requirement = "no allocation"
	// Completeness: a query for more items than are present finds all.
	Completeness Requirement = "completeness"
)

// requiredRecall is the recall@10 asked of engines that are not exact.
const requiredRecall = .95

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Engine)
	}{
		{"NearestFirst", testNearestFirst},
		{"TiesBySmallerNumber", testTies},
		{"ZeroVectors", testZeroVectors},
		{"KeepsItsOwnCopy", testOwnCopy},
		{"AppendsToDst", testAppends},
		{"FindsAllWhenAskedForMore", testCompleteness},
		{"RefusesBadVectors", testBadVectors},
		{"RefusesBadItems", testBadItems},
		{"RefusesBadQueries", testBadQueries},
		{"FilterIsRespected", testFilter},
		{"Recall", testRecall},
		{"FilteredRecall", testFilteredRecall},
		{"AnyHistory", testHistory},
		{"DeletedItemsComeBack", testComeBack},
		{"SnapshotRoundTrip", testSnapshot},
		{"RefusesBadSnapshots", testBadSnapshots},
		{"ConcurrentUse", testConcurrent},
		{"SearchDoesNotAllocate", testAllocations},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, e) })
	}
}

// falls skips the rest of the test, saying why, if the engine names r.
func (e Engine) falls(t *testing.T, r Requirement) {
	t.Helper()
	if why, ok := e.Falls[r]; ok {
		t.Skipf("%s falls short of %s: %s", e.Name, r, why)
	}
}
