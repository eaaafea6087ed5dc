package training

import (
	"context"
	"fmt"
	"math"
)

// encodeBatch is how many texts are encoded at once.
const encodeBatch = 256

// encode makes the vectors of the texts of items that were acted upon. What the log names
// and the catalog does not has zeros, as an item without a text.
func (d *corpus) encode(ctx context.Context, src Source, o Options) error {
	ids := d.log.Items()
	d.textDim = o.Encoder.Info().Dim
	if need := int64(len(ids)) * int64(d.textDim) * 8; need > o.Memory/2 {
		return fmt.Errorf("%w: the text vectors of %d items take %d MiB, half of the memory is %d MiB: allow more", ErrOptions, len(ids), need>>20, o.Memory>>21)
	}
	d.texts = make([]float32, len(ids)*d.textDim)
	numbers := make(map[string]int, len(ids))
	for i, id := range ids {
		numbers[id] = i
	}
	var texts []string
	var at []int
	out := make([]float32, encodeBatch*d.textDim)
	flush := func() error {
		if err := o.Encoder.Encode(ctx, texts, out[:len(texts)*d.textDim]); err != nil {
			return fmt.Errorf("encoding the texts of items: %w", err)
		}
		for i, n := range at {
			copy(d.text(n), out[i*d.textDim:(i+1)*d.textDim])
		}
		texts, at = texts[:0], at[:0]
		return nil
	}
	for it, err := range src.Items(ctx) {
		if err != nil {
			return fmt.Errorf("reading the catalog: %w", err)
		}
		n, ok := numbers[it.ID]
		switch {
		case !ok:
		case len(it.Vector) == d.textDim:
			copy(d.text(n), it.Vector)
			unit(d.text(n))
		case it.Text != "":
			if texts, at = append(texts, it.Text), append(at, n); len(texts) == encodeBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return flush()
}

// text is the row of an item.
func (d *corpus) text(item int) []float32 {
	return d.texts[item*d.textDim : (item+1)*d.textDim : (item+1)*d.textDim]
}

// known is the vector of an item's text; nil: it has none.
func (d *corpus) known(item int) []float32 {
	v := d.text(item)
	for _, x := range v {
		if x != 0 {
			return v
		}
	}
	return nil
}

func unit(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	by := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= by
	}
}
