package hnsw

import (
	"fmt"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/snapshot"
)

// source hands out the sections of a snapshot in order.
type source interface {
	fill(a *arena.Arena, rows int) error
	end() error
}

// stream reads sections into memory.
type stream struct {
	in *snapshot.Reader
	at int
}

func (s *stream) fill(a *arena.Arena, rows int) error {
	if s.at == headerEnd {
		s.at += 4 * headerWords
	}
	padding := make([]byte, roundUp(s.at, sectionAlign)-s.at)
	s.in.Bytes(padding)
	stride := a.Table().Stride
	for i := 0; i < rows && s.in.Err() == nil; i++ {
		// Row by row, so that a header that lies takes no memory.
		if err := a.Grow(i + 1); err != nil {
			return err
		}
		s.in.Bytes(a.Bytes(uint32(i)))
	}
	s.at = roundUp(s.at, sectionAlign) + rows*stride
	return s.in.Err()
}

func (s *stream) end() error { return nil }

// mapped lets sections lie in a mapped file.
type mapped struct {
	m  *arena.Mapping
	at int
}

func (s *mapped) fill(a *arena.Arena, rows int) error {
	if s.at == headerEnd {
		s.at += 4 * headerWords
	}
	start := roundUp(s.at, sectionAlign)
	s.at = start + rows*a.Table().Stride
	if s.at > len(s.m.Data())-8 {
		return fmt.Errorf("%w: it is truncated", index.ErrSnapshot)
	}
	return a.Adopt(s.m, start, rows)
}

func (s *mapped) end() error {
	if s.at != len(s.m.Data())-8 {
		return fmt.Errorf("%w: %d bytes follow its end", index.ErrSnapshot, len(s.m.Data())-8-s.at)
	}
	return nil
}
