package text

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/train/text/internal/corpus"
	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
)

// hardOf are the hard negatives of an item, some of them corpus.None.
func (k *contrast) hardOf(item uint32) []int32 {
	if k.negatives == nil {
		return nil
	}
	return k.negatives[int(item)*k.Hard : (int(item)+1)*k.Hard]
}

// begin looks for the hard negatives of an epoch. They are kept in the folder, if there is
// one, since a run that goes on in mid-epoch has other vectors by then.
func (k *contrast) begin(ctx context.Context, epoch int, dir string, encode encoder) error {
	if k.Hard == 0 {
		return nil
	}
	path := filepath.Join(dir, fmt.Sprintf("negatives-%d", epoch))
	table := make([]int32, len(k.Texts)*k.Hard)
	if dir != "" {
		content, err := os.ReadFile(path)
		if err == nil {
			if len(content) != 4*len(table) {
				return fmt.Errorf("%w: %s has %d bytes; want %d", ErrState, path, len(content), 4*len(table))
			}
			if _, err := binary.Decode(content, binary.LittleEndian, table); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrState, path, err)
			}
			k.negatives = table
			return nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("text: %w", err)
		}
	}
	if err := k.mine(ctx, epoch, table, encode); err != nil {
		return err
	}
	k.negatives = table
	if dir == "" {
		return nil
	}
	content, err := binary.Append(nil, binary.LittleEndian, table)
	if err != nil {
		return fmt.Errorf("text: %w", err)
	}
	return state.Replace(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

// mine asks for the negatives of each item that looks for another.
func (k *contrast) mine(ctx context.Context, epoch int, table []int32, encode encoder) error {
	vectors, err := k.itemVectors(ctx, encode)
	if err != nil {
		return err
	}
	near, err := k.Negatives(ctx, epoch, vectors)
	if err != nil {
		return fmt.Errorf("text: hard negatives of epoch %d: %w", epoch, err)
	}
	for i := range table {
		table[i] = corpus.None
	}
	done := make([]bool, len(k.Texts))
	for _, p := range k.pairs {
		if done[p.item] {
			continue
		}
		done[p.item] = true
		row := table[int(p.item)*k.Hard : (int(p.item)+1)*k.Hard][:0]
		for _, item := range near(p.item, k.Hard) {
			if int(item) >= len(k.Texts) {
				return fmt.Errorf("%w: a hard negative of item %d is item %d; there are %d texts", ErrExamples, p.item, item, len(k.Texts))
			}
			text := k.c.Of[item]
			if len(row) < cap(row) && len(row) < k.Hard && text != corpus.None && text != p.a && !k.belong(p.a, text, false) {
				row = append(row, text)
			}
		}
	}
	return nil
}

// itemVectors are the vectors of all items, [items, dim].
func (k *contrast) itemVectors(ctx context.Context, encode encoder) ([]float32, error) {
	all := make([]int32, len(k.c.Texts))
	for i := range all {
		all[i] = int32(i)
	}
	of, err := encode(ctx, all)
	if err != nil {
		return nil, err
	}
	dim := len(of) / max(1, len(all))
	vectors := make([]float32, len(k.c.Of)*dim)
	for item, text := range k.c.Of {
		if text != corpus.None {
			copy(vectors[item*dim:(item+1)*dim], of[int(text)*dim:])
		}
	}
	return vectors, nil
}
