package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
)

// Vectors of texts that were dear to make are kept by model and text, apart from the
// log: they are derived, and whatever is lost can be made again. One takes its key of 29
// bytes and two bytes and four a component: 1,567 bytes at 384 dimensions.

// PutVectors keeps the vectors of texts under a model: [len(texts), dim] float32, row by
// row. As with PutDecisions, they can be read when it returns and survive the end of the
// process; a power cut may lose the last ones. record.ErrOverloaded when the committer's
// queue is full.
func (t *Tenant) PutVectors(model record.ModelHash, texts []record.TextHash, vectors []float32) error {
	if len(texts) == 0 {
		return nil
	}
	dim := len(vectors) / len(texts)
	if dim < 1 || dim*len(texts) != len(vectors) {
		return fmt.Errorf("store: %d float32 are no rows for %d texts: %w", len(vectors), len(texts), record.ErrInvalid)
	}
	if size := headerLen + 4*dim; size > t.store.options.MaxValue {
		return fmt.Errorf("store: a vector of %d components takes %d bytes, at most %d are taken: raise option MaxValue: %w",
			dim, size, t.store.options.MaxValue, record.ErrLimit)
	}
	r := &request{tenant: t, rows: make([]row, len(texts))}
	for i, text := range texts {
		value := encodeVector(vectors[i*dim : (i+1)*dim])
		r.rows[i] = row{key: vectorKey(t.number, model, text), value: value}
		r.bytes += int64(len(value)) + 64
	}
	return t.store.await(r)
}

// ReadVectors calls fn for those of some texts that have a vector of dim components
// under a model, with the text's place; the vector is fn's to keep. A row that cannot be
// read counts as absent, since it can be made again, and is logged.
func (t *Tenant) ReadVectors(model record.ModelHash, dim int, texts []record.TextHash, fn func(i int, vector []float32)) error {
	return t.store.view(func(txn *badger.Txn) error {
		for i, text := range texts {
			value, err := getCopy(txn, vectorKey(t.number, model, text))
			if err != nil {
				return err
			}
			if value == nil {
				continue
			}
			vector, err := decodeVector(value, dim)
			if err != nil {
				t.store.options.Logger.Error("store: a vector cannot be read and is made again", "text", fmt.Sprintf("%x", text), "err", err)
				continue
			}
			fn(i, vector)
		}
		return nil
	})
}

// SweepVectors looks at no more than limit vectors, in the order of their keys from a
// place on (nil: the first), removes those that unused reports, and returns the place to
// go on from; nil: it has seen the last. Unused must not call the store. What is removed
// is gone when it returns.
func (t *Tenant) SweepVectors(ctx context.Context, from []byte, limit int, unused func(record.ModelHash, record.TextHash) bool) (next []byte, removed int, err error) {
	var gone [][]byte
	err = t.store.view(func(txn *badger.Txn) error {
		next, gone = t.unusedVectors(txn, from, limit, unused)
		return ctx.Err()
	})
	if err != nil || len(gone) == 0 {
		return next, 0, err
	}
	err = t.store.submit(ctx, &request{control: func(w *writer) error {
		for _, key := range gone {
			if err := w.room(); err != nil {
				return err
			}
			if err := w.remove(key); err != nil {
				return err
			}
		}
		return nil
	}})
	return next, len(gone), err
}

func (t *Tenant) unusedVectors(txn *badger.Txn, from []byte, limit int, unused func(record.ModelHash, record.TextHash) bool) (next []byte, gone [][]byte) {
	prefix := prefixKey(t.number, kindVector)
	options := scanOptions(prefix)
	options.PrefetchValues = false
	it := txn.NewIterator(options)
	defer it.Close()
	if from == nil {
		from = prefix
	}
	seen := 0
	for it.Seek(from); it.Valid(); it.Next() {
		key := it.Item().Key()
		if seen++; seen > limit {
			return it.Item().KeyCopy(nil), gone
		}
		model, text, ok := splitVectorKey(key)
		if !ok || unused(model, text) {
			gone = append(gone, it.Item().KeyCopy(nil))
		}
	}
	return nil, gone
}

func splitVectorKey(key []byte) (model record.ModelHash, text record.TextHash, ok bool) {
	if len(key) != vectorKeyLen {
		return model, text, false
	}
	n := copy(model[:], key[prefixLen:])
	copy(text[:], key[prefixLen+n:])
	return model, text, true
}

func encodeVector(vector []float32) []byte {
	b := make([]byte, headerLen, headerLen+4*len(vector))
	b[0], b[1] = format, valueVector
	for _, x := range vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// decodeVector reads a value back. Numbers that are not finite would spoil an index.
func decodeVector(v []byte, dim int) ([]float32, error) {
	kind, b, err := body(v)
	if err != nil {
		return nil, err
	}
	if kind != valueVector || len(b) != 4*dim {
		return nil, fmt.Errorf("store: a value of kind %d with %d bytes is no vector of %d components: %w", kind, len(b), dim, record.ErrCorrupt)
	}
	out := make([]float32, dim)
	for i := range out {
		bits := binary.LittleEndian.Uint32(b[4*i:])
		if out[i] = math.Float32frombits(bits); bits&0x7f800000 == 0x7f800000 {
			return nil, fmt.Errorf("store: component %d of a vector is %v: %w", i, out[i], record.ErrCorrupt)
		}
	}
	return out, nil
}
