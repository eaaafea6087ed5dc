// Package storetest is the conformance suite of the store: what server/shop and
// server/api rely on, whatever engine keeps the data.
//
// An engine is two types that have the methods of [Store] and [Tenant]. To test
// one, give [Run] a function that opens it:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(dir string, c storetest.Config) (*mine.Store, error) {
//			return mine.Open(dir, ...)
//		})
//	}
//
// The suite opens each directory several times, one after the other, and expects
// what was acknowledged to be there again. It does not cut the power; an engine
// shows by tests of its own that it syncs.
package storetest

import (
	"context"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// Store is one database of many tenants, whose type is T.
type Store[T Tenant] interface {
	Close() error
	Secret() [32]byte
	CreateTenant(ctx context.Context, t record.Tenant) (record.Tenant, error)
	UpdateTenant(ctx context.Context, t record.Tenant) (record.Tenant, error)
	Tenants(ctx context.Context) ([]record.Tenant, error)
	Tenant(name string) (T, error)
	PutKey(ctx context.Context, k record.Key) error
	Keys(ctx context.Context, tenant string) ([]record.Key, error)
}

// Tenant is the part of a store that belongs to one shop. The comments of
// server/store say what each method promises.
type Tenant interface {
	Settings() record.Tenant
	Head() record.Token
	Append(ctx context.Context, batch []record.Mutation) ([]record.Outcome, record.Token, error)
	DryRun(ctx context.Context, batch []record.Mutation) ([]record.Outcome, error)
	Follow(after uint64, fn func([]record.Entry)) (stop func(), err error)
	ScanLog(after uint64, fn func(record.Entry) error) error

	Item(id string) (record.Item, uint32, error)
	ItemByNumber(number uint32) (record.Item, error)
	ItemNumber(id string) (number uint32, known bool)
	ItemID(number uint32) (id string, known bool)
	Items(after string, limit int) (items []record.Item, next string, err error)
	ScanItems(fn func(number uint32, it *record.Item) error) error
	ScanItemIDs(fn func(number uint32, id string, live bool) error) error

	UserNumber(user, session string) (number uint64, known bool)
	Unreadable() bool
	Name(number uint64) (user, session string, known bool)
	UserIDs(after string, limit int) (ids []string, next string, err error)
	History(user, before uint64, limit int) ([]record.Stored, error)
	HistoryUntil(user, before uint64, limit int, until time.Time) ([]record.Stored, error)
	Profile(user string) (record.Profile, error)
	ProfileByNumber(number uint64) (record.Profile, error)
	Promotions(limit int) ([]record.Promoted, error)
	Export(user string) iter.Seq2[record.Part, error]

	PutDecisions(ds []record.Decision) error
	Decision(id string) (record.Decision, error)
	ScanDecisions(from, until time.Time, fn func(record.Decision) error) error
	PutList(l record.List) error
	List(id string) (record.List, error)

	PutVectors(model record.ModelHash, texts []record.TextHash, vectors []float32) error
	ReadVectors(model record.ModelHash, dim int, texts []record.TextHash, fn func(i int, vector []float32)) error
	SweepVectors(ctx context.Context, from []byte, limit int, unused func(record.ModelHash, record.TextHash) bool) (next []byte, removed int, err error)

	PutCheckpoint(kind string, seq uint64, write func(w io.Writer) error) error
	Checkpoint(kind string, read func(seq uint64, r io.Reader) error) error
}

// Config is what the suite asks an engine to be opened with.
type Config struct {
	Now      func() time.Time
	MaxItems uint32
	MaxUsers uint64
}

// Now is the time of the suite's clock when it begins. Events of a wall clock
// tenant must not be expired by the real clock, so that it is today's.
var Now = time.Now().UTC().Truncate(time.Second)

// Run tests an engine.
func Run[S Store[T], T Tenant](t *testing.T, open func(dir string, c Config) (S, error)) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture[S, T])
	}{
		{"events are added, repeated and refused", testEvents[S, T]},
		{"an id used twice at once counts once", testConcurrentDuplicates[S, T]},
		{"events older than the retention are refused", testRetention[S, T]},
		{"users and sessions are apart", testNameSpaces[S, T]},
		{"a history is read in pages and as of a time", testHistoryPages[S, T]},
		{"a merged session is its user's", testMerge[S, T]},
		{"users are listed by their ids", testUserIDs[S, T]},
		{"an erased person leaves no trace", testErase[S, T]},
		{"catalog rows are put, kept, replaced and deleted", testItems[S, T]},
		{"a patch changes what it names", testPatch[S, T]},
		{"the catalog is listed and scanned", testCatalogReads[S, T]},
		{"profiles are put and read", testProfiles[S, T]},
		{"a follower gets the log and then what comes", testFollow[S, T]},
		{"a follower misses nothing while writers write", testFollowConcurrent[S, T]},
		{"the log keeps the last change of an item", testLogReplaces[S, T]},
		{"a bad row is refused and the others land", testBadRows[S, T]},
		{"items and users are bounded", testLimits[S, T]},
		{"a dry run answers as an append and writes nothing", testDryRun[S, T]},
		{"decisions and lists are kept", testDecisions[S, T]},
		{"vectors are kept by model and text, and swept", testVectors[S, T]},
		{"a checkpoint is swapped whole", testCheckpoint[S, T]},
		{"an export holds all of a person", testExport[S, T]},
		{"promotions are a chain in the log", testPromotions[S, T]},
		{"tenants are apart", testTenants[S, T]},
		{"keys are kept", testKeys[S, T]},
		{"all is there after a restart", testRestart[S, T]},
		{"a closed store says so", testClosed[S, T]},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture[S, T]{TB: t, dir: t.TempDir(), open: open, now: Now}
			f.start()
			t.Cleanup(f.stop)
			f.tenant = f.create(record.Tenant{Name: "shop"})
			c.test(t, f)
		})
	}
}
