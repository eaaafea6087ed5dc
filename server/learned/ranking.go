package learned

import (
	"bytes"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/calibrate"
	"github.com/kindred-rec/kindred/ranker/holdout"
	"github.com/kindred-rec/kindred/ranker/network"
	"github.com/kindred-rec/kindred/ranker/trees"
	"github.com/kindred-rec/kindred/server/shop"
)

// ranking reads what scores, nil where a bundle has nothing. Errors wrap [shop.ErrUnfit].
func ranking(b *bundle.Bundle) (m ranker.Model, err error) {
	for _, kind := range []struct {
		file string
		read func(io.Reader) (ranker.Model, error)
	}{
		{bundle.RankerTreesFile, func(r io.Reader) (ranker.Model, error) { return trees.Read(r) }},
		{bundle.RankerNetworkFile, func(r io.Reader) (ranker.Model, error) { return network.Read(r) }},
		{bundle.RankerFile, func(r io.Reader) (ranker.Model, error) { w, err := holdout.Read(r); return &w, err }},
	} {
		if !b.Has(kind.file) {
			continue
		}
		if err := open(b, kind.file, func(r io.Reader) (err error) { m, err = kind.read(r); return err }); err != nil {
			return nil, err
		}
		break
	}
	if !b.Has(bundle.RankerCalibrationFile) {
		return m, nil
	}
	if m == nil {
		return nil, fmt.Errorf("%w: %s calibrates a model that is not there", shop.ErrUnfit, bundle.RankerCalibrationFile)
	}
	err = open(b, bundle.RankerCalibrationFile, func(r io.Reader) error {
		calibration, err := calibrate.Read(r)
		if err != nil {
			return err
		}
		m, err = calibrate.With(m, calibration)
		return err
	})
	return m, err
}

// open reads a payload.
func open(b *bundle.Bundle, name string, read func(io.Reader) error) error {
	text, err := b.ReadFile(name)
	if err != nil {
		return err
	}
	if err := read(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("%w: %s: %w", shop.ErrUnfit, name, err)
	}
	return nil
}
