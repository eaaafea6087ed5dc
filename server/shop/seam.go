package shop

import (
	"context"
	"io"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// Log is one tenant's part of the store, as the shop needs it. *store.Tenant meets
// it; another engine may. Methods are safe for concurrent use.
type Log interface {
	// Submit hands a batch to the committer without waiting for the disk. The batch is
	// in the log's order of submissions. record.ErrOverloaded when the queue is full.
	Submit(ctx context.Context, batch []record.Mutation) (Waiter, error)
	// DryRun answers what Submit would, and writes nothing.
	DryRun(ctx context.Context, batch []record.Mutation) ([]record.Outcome, error)
	// Follow delivers every entry after a sequence, in order, once: first those of
	// the log, then live ones. fn is called from one goroutine. stop waits for it.
	Follow(after uint64, fn func([]record.Entry)) (stop func(), err error)
	// Head is the last durable place in the log.
	Head() record.Token
	// Unreadable reports whether reads fail, so that what is said to be unknown may be known.
	Unreadable() bool

	Item(id string) (record.Item, uint32, error)
	// ItemByNumber returns the row of a number; record.ErrNotFound if there is none.
	ItemByNumber(number uint32) (record.Item, error)
	Items(after string, limit int) (items []record.Item, next string, err error)
	ScanItems(fn func(number uint32, it *record.Item) error) error
	// ItemNumber returns the number of an item that a row or an event has named.
	ItemNumber(id string) (uint32, bool)
	// ItemID is its inverse.
	ItemID(number uint32) (string, bool)

	// Name returns the raw id of the number of a user or of a session; the other one is
	// empty. It is not known once the person was erased.
	Name(number uint64) (user, session string, known bool)
	// UserNumber returns the number of a user, or of a session where user is empty.
	UserNumber(user, session string) (uint64, bool)
	// UserIDs lists the ids of users after one, in their order; next is where to go on,
	// empty at the end.
	UserIDs(after string, limit int) (ids []string, next string, err error)
	// History returns events of a user before a sequence (0: all), newest first.
	History(user, before uint64, limit int) ([]record.Stored, error)
	// HistoryUntil leaves out events later than a time.
	HistoryUntil(user, before uint64, limit int, until time.Time) ([]record.Stored, error)
	Profile(user string) (record.Profile, error)
	// ProfileByNumber is the zero profile where there is none.
	ProfileByNumber(number uint64) (record.Profile, error)

	// Promotions returns the last promotions, newest first, at most limit.
	Promotions(limit int) ([]record.Promoted, error)

	ScanLog(after uint64, fn func(record.Entry) error) error
	PutDecisions(batch []record.Decision) error
	// Decision returns one by its recommendation id, or record.ErrNotFound.
	Decision(id string) (record.Decision, error)
	ScanDecisions(from, until time.Time, fn func(record.Decision) error) error
	PutList(record.List) error
	List(id string) (record.List, error)

	// PutVectors keeps the vectors of texts under a model, [len(texts), dim]. They survive
	// the end of the process.
	PutVectors(model record.ModelHash, texts []record.TextHash, vectors []float32) error
	// ReadVectors calls fn for those of the texts that have one; fn keeps the vector.
	ReadVectors(model record.ModelHash, dim int, texts []record.TextHash, fn func(i int, vector []float32)) error
	// SweepVectors removes, of at most limit vectors from a place on (nil: the first),
	// those that are unused, and returns the place to go on from; nil: that was the last.
	SweepVectors(ctx context.Context, from []byte, limit int, unused func(record.ModelHash, record.TextHash) bool) (next []byte, removed int, err error)

	// PutCheckpoint keeps derived state as of a sequence, in place of the one before.
	PutCheckpoint(kind string, seq uint64, write func(io.Writer) error) error
	// Checkpoint reads the last good one; record.ErrNotFound if there is none.
	Checkpoint(kind string, read func(seq uint64, r io.Reader) error) error
}

// Waiter is a submitted batch.
type Waiter interface {
	// Wait returns when the batch is durable, with one outcome a mutation. When ctx
	// ends first the batch may still land.
	Wait(ctx context.Context) ([]record.Outcome, record.Token, error)
}
