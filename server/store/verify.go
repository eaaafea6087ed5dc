package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Fault is something that is wrong in a store.
type Fault struct {
	Kind string `json:"kind"` // as Count.Kind
	Key  string `json:"key"`  // of the row, in hexadecimal, or a file
	What string `json:"what"`
}

// Count says how many rows of a kind were read.
type Count struct {
	Kind   string `json:"kind"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"` // of keys and values
	Faults int64  `json:"faults"`
}

// Verification is what Verify found.
type Verification struct {
	Schema uint32  `json:"schema"`
	Tables int     `json:"tables"` // files of Badger whose checksums were compared
	Counts []Count `json:"counts"` // by kind
	// Faults are the first of each kind, at most 20.
	Faults []Fault `json:"faults"`
}

// Whole reports whether nothing is wrong.
func (v *Verification) Whole() bool { return len(v.Faults) == 0 }

// faultsKept bounds the faults of a kind in a Verification; Count.Faults counts all.
const faultsKept = 20

// kindNames say what rows are called in a Verification.
var kindNames = map[byte]string{
	kindIdentity: "identity", kindTenant: "tenant", kindAPIKey: "key", kindRemoved: "journal", kindSchema: "schema", kindErasing: "erasing", kindMark: "mark",
}

// tenantKindNames are those of a tenant's rows.
var tenantKindNames = map[byte]string{
	kindHead: "head", kindLog: "log", kindDuplicate: "duplicate", kindHistory: "history", kindUser: "user", kindSession: "session",
	kindName: "name", kindMerged: "merged", kindRemoval: "removal", kindPromoted: "promoted", kindProfile: "profile",
	kindItemID: "item_id", kindItem: "item", kindDecision: "decisions", kindList: "list", kindOwned: "owned",
	kindCheckpoint: "checkpoint", kindChunk: "chunk", kindVector: "vector",
}

func kindText(tenant uint32, kind byte) string {
	names := tenantKindNames
	if tenant == 0 {
		names = kindNames
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprintf("unknown %q", kind)
}

// Verify compares every checksum and reads every row, as of one moment: each must be what
// its key says, and have the rows that belong to it. The log is held against histories,
// event ids, catalog, profiles and merges, in both directions; numbers against the
// directory; heads against what they count; checkpoints against their chunks. progress, if
// not nil, is told of rows now and then. The error is of the reading itself: a fault of
// the store is in the Verification.
//
// A checkpoint that is being written has chunks that nothing names yet, so that Verify is
// for a store that does not serve; see VerifyServed.
func (s *Store) Verify(ctx context.Context, progress func(rows int64)) (*Verification, error) {
	return s.verify(&checker{ctx: ctx, progress: progress})
}

// verify has a checker read everything.
func (s *Store) verify(c *checker) (*Verification, error) {
	c.store, c.counts = s, make(map[string]*Count)
	c.look()
	err := s.view(func(txn *badger.Txn) error {
		c.txn = txn
		var err error
		if c.out.Tables, err = c.verifyTables(); err != nil || len(c.out.Faults) > 0 {
			return err // rows of a damaged table cannot be told from rows that are missing
		}
		return c.rows()
	})
	if err != nil {
		return nil, err
	}
	for _, n := range c.counts {
		c.out.Counts = append(c.out.Counts, *n)
	}
	sort.Slice(c.out.Counts, func(i, j int) bool { return c.out.Counts[i].Kind < c.out.Counts[j].Kind })
	return &c.out, nil
}

// checker reads the rows of a snapshot.
type checker struct {
	ctx      context.Context
	store    *Store
	txn      *badger.Txn
	progress func(int64)
	served   *pace // of a store that serves; nil: it does not
	out      Verification
	counts   map[string]*Count
	seen     int64
	now      uint64 // what expires before this may be gone already

	tenants map[uint32]string // names of the registry
	t       tenantCheck
	row     checkedRow
}

// checkedRow is the row that is being checked.
type checkedRow struct {
	key, value []byte
	expires    uint64
	kind       byte
	rest       []byte // of the key, after the kind
}

func (c *checker) fault(kind, key, format string, args ...any) {
	n := c.count(kind)
	if n.Faults++; n.Faults <= faultsKept {
		c.out.Faults = append(c.out.Faults, Fault{kind, key, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) count(kind string) *Count {
	n := c.counts[kind]
	if n == nil {
		n = &Count{Kind: kind}
		c.counts[kind] = n
	}
	return n
}

// bad notes a fault of the present row.
func (c *checker) bad(format string, args ...any) {
	c.fault(kindText(binary.BigEndian.Uint32(c.row.key), c.row.kind), fmt.Sprintf("%x", c.row.key), format, args...)
}

// rows reads all rows by their keys.
func (c *checker) rows() error {
	c.tenants = make(map[uint32]string)
	it := c.txn.NewIterator(scanOptions(nil))
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if c.seen++; c.seen%4096 == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			if c.progress != nil {
				c.progress(4096)
			}
		}
		c.look()
		item := it.Item()
		v, err := item.ValueCopy(c.row.value[:0])
		if err != nil {
			return storageError(err)
		}
		c.row = checkedRow{key: append(c.row.key[:0], item.Key()...), value: v, expires: item.ExpiresAt()}
		if len(c.row.key) < prefixLen {
			c.fault("unknown", fmt.Sprintf("%x", c.row.key), "a key of %d bytes", len(c.row.key))
			continue
		}
		tenant := binary.BigEndian.Uint32(c.row.key)
		c.row.kind, c.row.rest = c.row.key[prefixLen-1], c.row.key[prefixLen:]
		n := c.count(kindText(tenant, c.row.kind))
		n.Rows++
		n.Bytes += int64(len(c.row.key) + len(v))
		if err := c.served.read(c.ctx, len(c.row.key)+len(v)); err != nil {
			return err
		}
		if err := c.one(tenant); err != nil {
			return err
		}
	}
	return c.endTenant()
}

// look notes the time: Badger hides what has expired by now, also within a snapshot.
func (c *checker) look() { c.now = uint64(time.Now().Unix()) + 60 }

// one checks a row.
func (c *checker) one(tenant uint32) error {
	if tenant == 0 {
		return c.storeRow()
	}
	if tenant != c.t.number {
		if err := c.endTenant(); err != nil {
			return err
		}
		if err := c.beginTenant(tenant); err != nil {
			return err
		}
	}
	err := c.tenantRow()
	if isCorrupt(err) {
		c.bad("%v", err)
		return nil
	}
	return err
}

// storeRow checks a row of the store itself.
func (c *checker) storeRow() error {
	var err error
	switch c.row.kind {
	case kindIdentity:
		var m storepb.Identity
		if err = decode(c.row.value, valueOther, &m); err == nil && (len(m.Secret) != 32 || len(m.HashKey) != 32 || m.Epoch == 0) {
			c.bad("it has secrets of %d and %d bytes and epoch %d", len(m.Secret), len(m.HashKey), m.Epoch)
		}
	case kindTenant:
		var m storepb.Tenant
		if err = decode(c.row.value, valueOther, &m); err != nil {
			break
		}
		if m.Name != string(c.row.rest) || m.Number == 0 {
			c.bad("it holds tenant %q, number %d", m.Name, m.Number)
		}
		if other, taken := c.tenants[m.Number]; taken {
			c.bad("its number %d is that of tenant %q, too", m.Number, other)
		}
		c.tenants[m.Number] = m.Name
	case kindAPIKey:
		var m storepb.Key
		if err = decode(c.row.value, valueOther, &m); err == nil && m.Id != string(c.row.rest) {
			c.bad("it holds key %q", m.Id)
		}
	case kindRemoved:
		err = decode(c.row.value, valueOther, &storepb.Removed{})
	case kindSchema:
		var m storepb.Schema
		err = decode(c.row.value, valueOther, &m)
		c.out.Schema = m.Version
	case kindErasing:
		err = decode(c.row.value, valueOther, &storepb.Erase{})
	case kindMark:
	default:
		c.bad("rows of this kind are not known")
	}
	if isCorrupt(err) {
		c.bad("%v", err)
		return nil
	}
	return err
}

func isCorrupt(err error) bool { return errors.Is(err, record.ErrCorrupt) }
