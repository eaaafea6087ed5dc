package spill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// MaxRecord bounds a record, in bytes.
const MaxRecord = 32 << 20

// ErrCorrupt: a file is damaged, cut short, or none of this package.
var ErrCorrupt = errors.New("spill: damaged file")

const (
	magic     = "KNDSPIL1"
	headBytes = 16
	// maxBlock bounds a block unpacked: a target's worth of records and the largest one.
	maxBlock = 2 * MaxRecord
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packer is shared by all: EncodeAll and DecodeAll keep no state between calls.
var packer = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
})

var unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxBlock))
})

// head is what stands before a block.
type head struct{ packed, raw, records uint32 }

// bytes returns the head with its checksum.
func (h head) bytes(payload []byte) [headBytes]byte {
	var out [headBytes]byte
	binary.LittleEndian.PutUint32(out[0:], h.packed)
	binary.LittleEndian.PutUint32(out[4:], h.raw)
	binary.LittleEndian.PutUint32(out[8:], h.records)
	binary.LittleEndian.PutUint32(out[12:], crc32.Update(crc32.Checksum(out[:12], castagnoli), castagnoli, payload))
	return out
}

// parseHead reads a head and the checksum that it states.
func parseHead(from []byte) (h head, sum uint32) {
	return head{binary.LittleEndian.Uint32(from[0:]), binary.LittleEndian.Uint32(from[4:]), binary.LittleEndian.Uint32(from[8:])},
		binary.LittleEndian.Uint32(from[12:])
}

// unpack returns the records' bytes of a block, in into if that is large enough.
func (h head) unpack(into, payload []byte) ([]byte, error) {
	d, err := unpacker()
	if err != nil {
		return nil, err
	}
	out, err := d.DecodeAll(payload, into[:0])
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if len(out) != int(h.raw) {
		return nil, fmt.Errorf("unpacked to %d bytes, the head says %d", len(out), h.raw)
	}
	return out, nil
}

// next cuts the first record off the bytes of a block.
func next(block []byte) (record, rest []byte, err error) {
	n, size := binary.Uvarint(block)
	if size <= 0 || n > MaxRecord || n > uint64(len(block)-size) {
		return nil, nil, fmt.Errorf("a record of %d bytes where %d are left", n, len(block))
	}
	return block[size : size+int(n)], block[size+int(n):], nil
}
