// Package spill sorts more records than fit in memory, and keeps them in files that
// notice when they are damaged.
//
// # The problem
//
// An event log is larger than memory and in the order of time; training wants it by user.
// Pairs of items are more still. Both are a sort of small records that does not fit.
//
// # How to use it
//
// A record is bytes, and their order as bytes is the order of the sort: encode keys big
// endian. A [Sorter] takes records, writes a sorted run to a file whenever its memory is
// full, and merges the runs, as many at once as memory allows, in further rounds if need be.
//
//	s, err := spill.NewSorter(dir, 64<<20)
//	defer s.Close()
//	err = s.Add(record) // many times
//	for record, err := range s.Sorted() { ... } // once
//
// A [Writer] writes records to a file in blocks, and a [File] reads them: in their order, as
// often as wanted, or block by block in any other.
//
// # The form of a file
//
// Eight bytes of magic, then blocks. A block has a head of four little endian uint32 (bytes
// that follow, bytes of them unpacked, records, CRC-32C of the head before it and of the bytes) and
// then records packed by zstd, each with its length before it as a uvarint. The last block has
// no bytes and counts the blocks before it in place of records, so that a cut file is known
// by what is missing. What does not fit is [ErrCorrupt], with the file and the offset.
//
// Memory is that of the sorter's setting, or of one block a reader; the largest record
// is [MaxRecord].
package spill
