package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// chunkSize is how much of a checkpoint goes into one value.
const chunkSize = 256 << 10

// keptCheckpoints is how many good checkpoints of a kind are kept: a reader who
// finds the newest damaged takes the one before.
const keptCheckpoints = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PutCheckpoint keeps derived state of a kind as of a place in the log. write
// streams it; a chunk at a time is in memory. The checkpoint counts from when the
// call returns without an error; until then, and if write fails, the earlier one
// stands. One call per kind at a time.
func (t *Tenant) PutCheckpoint(kind string, seq uint64, write func(w io.Writer) error) error {
	if err := checkID("checkpoint", kind); err != nil {
		return err
	}
	generation, err := t.newGeneration()
	if err != nil {
		return err
	}
	w := &chunkWriter{tenant: t, generation: generation}
	if err := errors.Join(write(w), w.flush()); err != nil {
		return errors.Join(err, t.dropChunks(generation))
	}
	next := &storepb.Checkpoint{Generation: generation, Seq: seq, Chunks: w.chunks, Bytes: w.total}
	var dropped []*storepb.Checkpoint
	err = t.store.await(&request{control: func(w *writer) error {
		key := textKey(t.number, kindCheckpoint, kind)
		var m storepb.Checkpoints
		if _, err := fetch(w, key, &m); err != nil && !errors.Is(err, record.ErrCorrupt) {
			return err
		}
		m.Good = append([]*storepb.Checkpoint{next}, m.Good...)
		if len(m.Good) > keptCheckpoints {
			m.Good, dropped = m.Good[:keptCheckpoints], m.Good[keptCheckpoints:]
		}
		return place(w, key, &m)
	}})
	if err != nil {
		return err
	}
	for _, c := range dropped {
		if err := t.dropChunks(c.Generation); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenant) newGeneration() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(t.store.options.Random, b[:]); err != nil {
		return 0, fmt.Errorf("store: random number: %w", err)
	}
	g := binary.LittleEndian.Uint64(b[:])
	return g, nil
}

// chunkWriter cuts a stream into rows.
type chunkWriter struct {
	tenant     *Tenant
	generation uint64
	buffer     []byte
	chunks     uint32
	total      uint64
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		m := min(len(p), chunkSize-len(w.buffer))
		w.buffer = append(w.buffer, p[:m]...)
		p = p[m:]
		if len(w.buffer) == chunkSize {
			if err := w.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

// flush writes and syncs what is buffered: the checkpoint that names a chunk must
// not be durable before it.
func (w *chunkWriter) flush() error {
	if len(w.buffer) == 0 {
		return nil
	}
	v, err := encode(valueOther, &storepb.Chunk{Content: w.buffer, Checksum: crc32.Checksum(w.buffer, castagnoli)})
	if err != nil {
		return err
	}
	chunk := row{key: chunkKey(w.tenant.number, w.generation, w.chunks), value: v}
	w.chunks++
	w.total += uint64(len(w.buffer))
	w.buffer = w.buffer[:0]
	return w.tenant.store.await(&request{
		bytes:   int64(len(v)),
		control: func(w *writer) error { return w.put(chunk) },
	})
}

// Checkpoint hands the newest good checkpoint of a kind to read. All its chunks
// are checked before; a damaged one is reported to the Logger, and the one before
// is taken. record.ErrNotFound: there is none.
func (t *Tenant) Checkpoint(kind string, read func(seq uint64, r io.Reader) error) error {
	return t.store.view(func(txn *badger.Txn) error {
		var m storepb.Checkpoints
		if _, err := fetch(reader{txn}, textKey(t.number, kindCheckpoint, kind), &m); err != nil {
			return err
		}
		var damage error
		for _, c := range m.Good {
			r, err := t.checked(txn, c)
			if err != nil {
				damage = errors.Join(damage, err)
				t.store.options.Logger.Error("store: checkpoint damaged", "kind", kind, "seq", c.Seq, "err", err)
				continue
			}
			return read(c.Seq, r)
		}
		if damage != nil {
			return damage
		}
		return fmt.Errorf("store: checkpoint %q: %w", kind, record.ErrNotFound)
	})
}

// checkedAtOnce is the largest checkpoint that is checked by reading it into memory; larger
// ones are read twice.
const checkedAtOnce = 256 << 20

// checked returns a reader of a checkpoint whose chunks are all good. One with a method Len
// holds them in memory.
func (t *Tenant) checked(txn *badger.Txn, c *storepb.Checkpoint) (io.Reader, error) {
	chunks := &chunkReader{tenant: t, txn: txn, of: c}
	if c.Bytes > checkedAtOnce {
		return chunks, t.checkChunks(txn, c)
	}
	whole := bytes.NewBuffer(make([]byte, 0, c.Bytes+bytes.MinRead))
	n, err := whole.ReadFrom(chunks)
	if err == nil && uint64(n) != c.Bytes {
		err = wrongLength(n, c)
	}
	return whole, err
}

func wrongLength(n int64, c *storepb.Checkpoint) error {
	return fmt.Errorf("store: a checkpoint has %d bytes in place of %d: %w", n, c.Bytes, record.ErrCorrupt)
}

func (t *Tenant) checkChunks(txn *badger.Txn, c *storepb.Checkpoint) error {
	n, err := io.Copy(io.Discard, &chunkReader{tenant: t, txn: txn, of: c})
	if err == nil && uint64(n) != c.Bytes {
		return wrongLength(n, c)
	}
	return err
}

// chunkReader streams a checkpoint and checks each chunk.
type chunkReader struct {
	tenant *Tenant
	txn    *badger.Txn
	of     *storepb.Checkpoint
	next   uint32
	rest   []byte
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == r.of.Chunks {
			return 0, io.EOF
		}
		var c storepb.Chunk
		found, err := fetch(reader{r.txn}, chunkKey(r.tenant.number, r.of.Generation, r.next), &c)
		if err != nil {
			return 0, err
		}
		if !found || crc32.Checksum(c.Content, castagnoli) != c.Checksum {
			return 0, fmt.Errorf("store: chunk %d of a checkpoint: %w", r.next, record.ErrCorrupt)
		}
		r.rest = c.Content
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// dropChunks removes the chunks of a generation.
func (t *Tenant) dropChunks(generation uint64) error {
	return t.store.await(&request{control: func(w *writer) error {
		return wipeChunks(w, t.number, generation)
	}})
}

func wipeChunks(w *writer, tenant uint32, generation uint64) error {
	for n := uint32(0); ; n++ {
		if err := w.room(); err != nil {
			return err
		}
		key := chunkKey(tenant, generation, n)
		if v, err := w.get(key); err != nil || v == nil {
			return err
		}
		if err := w.remove(key); err != nil {
			return err
		}
	}
}

// dropOrphanChunks removes what a crash in the middle of PutCheckpoint left.
func (s *Store) dropOrphanChunks(t *Tenant) error {
	w := s.newWriter()
	defer w.discard()
	good := make(map[uint64]bool)
	prefix := prefixKey(t.number, kindChunk)
	var orphans []uint64
	err := s.view(func(txn *badger.Txn) error {
		err := scan(txn, prefixKey(t.number, kindCheckpoint), nil, func(_, v []byte) error {
			var m storepb.Checkpoints
			if err := decode(v, valueOther, &m); err != nil {
				return nil // Checkpoint says so when it is asked for
			}
			for _, c := range m.Good {
				good[c.Generation] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		it := txn.NewIterator(scanOptions(prefix))
		defer it.Close()
		for it.Seek(prefix); it.Valid(); {
			key := bytes.Clone(it.Item().Key())
			g := binary.BigEndian.Uint64(key[prefixLen:])
			if !good[g] {
				orphans = append(orphans, g)
			}
			if g == ^uint64(0) {
				break
			}
			it.Seek(chunkKey(t.number, g+1, 0))
		}
		return nil
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	for _, g := range orphans {
		if err := wipeChunks(w, t.number, g); err != nil {
			return err
		}
	}
	return w.write()
}
