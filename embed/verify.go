package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// tolerance bounds the difference of two encodings of one text, and of a length
// from 1: batches may be summed in another order, in float32 or in half floats.
const tolerance = 2e-3

// verifyTexts hold what a careless encoder stumbles over. The first three give a
// vector with any tokenizer, the last three may give none.
var verifyTexts = []string{
	"a desk lamp, black",
	"Canon ink cartridge",
	"naïve café №5",
	"broken \xff\xfe bytes",
	"",
	" \t\n",
}

// Verify tries out whether an encoder keeps the contract of [Encoder] and returns
// what it does wrong, or nil. It encodes a few dozen short texts, some of them
// concurrently. Use it in the tests of an implementation, and to check a worker
// of unknown origin at start-up.
func Verify(ctx context.Context, enc Encoder) error {
	info := enc.Info()
	if info.Model == "" || info.Dim < 1 || info.MaxTokens < 0 || info.MaxBytes < 0 {
		return fmt.Errorf("embed: info %+v: want a model name, a dimension of at least 1 and bounds of at least 0", info)
	}
	if again := enc.Info(); again != info {
		return fmt.Errorf("embed: info changed from %+v to %+v", info, again)
	}
	rows, err := dirtyRows(ctx, enc, verifyTexts)
	if err != nil {
		return fmt.Errorf("embed: encode %d texts: %w", len(verifyTexts), err)
	}
	return errors.Join(
		verifyLengths(info.Dim, rows),
		verifyAlone(ctx, enc, rows),
		verifyConcurrent(ctx, enc, rows),
		verifyShape(ctx, enc),
		verifyCancelled(ctx, enc),
	)
}

// dirtyRows encodes into memory full of NaN, so that what is not written shows.
func dirtyRows(ctx context.Context, enc Encoder, texts []string) ([]float32, error) {
	out := make([]float32, len(texts)*enc.Info().Dim)
	for i := range out {
		out[i] = float32(math.NaN())
	}
	return out, enc.Encode(ctx, texts, out)
}

func verifyLengths(dim int, rows []float32) error {
	for i, text := range verifyTexts {
		var sum float64
		for _, x := range rows[i*dim : (i+1)*dim] {
			sum += float64(x) * float64(x)
		}
		length := math.Sqrt(sum)
		unit := math.Abs(length-1) <= tolerance
		switch {
		case i < 3 && !unit:
			return fmt.Errorf("embed: vector of %q has length %g, want 1", text, length)
		case i >= 4 && length != 0:
			return fmt.Errorf("embed: vector of %q has length %g, want zeros", text, length)
		case !unit && length != 0:
			return fmt.Errorf("embed: vector of %q has length %g, want 1 or 0", text, length)
		}
	}
	return nil
}

func verifyAlone(ctx context.Context, enc Encoder, rows []float32) error {
	dim := enc.Info().Dim
	for i, text := range verifyTexts {
		row, err := dirtyRows(ctx, enc, []string{text})
		if err != nil {
			return fmt.Errorf("embed: encode %q alone: %w", text, err)
		}
		if err := sameVector(row, rows[i*dim:(i+1)*dim]); err != nil {
			return fmt.Errorf("embed: %q alone and in a batch: %w", text, err)
		}
	}
	if err := enc.Encode(ctx, nil, nil); err != nil {
		return fmt.Errorf("embed: encode no texts: %w", err)
	}
	return nil
}

func verifyConcurrent(ctx context.Context, enc Encoder, rows []float32) error {
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			got, err := dirtyRows(ctx, enc, verifyTexts)
			if err == nil {
				err = sameVector(got, rows)
			}
			if err != nil {
				errs[i] = fmt.Errorf("embed: encode concurrently: %w", err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func verifyShape(ctx context.Context, enc Encoder) error {
	dim := enc.Info().Dim
	for _, n := range []int{0, dim - 1, dim + 1, 2 * dim} {
		if err := enc.Encode(ctx, verifyTexts[:1], make([]float32, n)); !errors.Is(err, ErrShape) {
			return fmt.Errorf("embed: encode 1 text of dimension %d into %d float32: got error %v, want ErrShape", dim, n, err)
		}
	}
	return nil
}

func verifyCancelled(ctx context.Context, enc Encoder) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := dirtyRows(ctx, enc, verifyTexts); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("embed: encode with a cancelled context: got error %v, want context.Canceled", err)
	}
	return nil
}

func sameVector(got, want []float32) error {
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance) {
			return fmt.Errorf("component %d is %g and %g", i, got[i], want[i])
		}
	}
	return nil
}
