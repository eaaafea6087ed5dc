package calibrate

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/ranker"
)

// Click is the objective that [Model.Probability] is of.
const Click = "click"

// Calibration has a curve for each objective, by its name: the type of event.
type Calibration map[string]*Curve

// Check refuses a calibration without curves, or with a malformed one.
func (c Calibration) Check() error {
	if len(c) == 0 || len(c) > maxObjectives {
		return fmt.Errorf("%w: %d objectives; it must lie in [1, %d]", ErrCurve, len(c), maxObjectives)
	}
	for name, curve := range c {
		if name == "" || curve == nil {
			return fmt.Errorf("%w: objective %q has no curve, or no name", ErrCurve, name)
		}
		if err := curve.Check(); err != nil {
			return fmt.Errorf("objective %q: %w", name, err)
		}
	}
	return nil
}

// maxObjectives bounds a calibration.
const maxObjectives = 32

// file is how a calibration is kept.
type file struct {
	Format int         `json:"format"`
	Curves Calibration `json:"curves"`
}

const (
	format  = 1
	maxFile = 4 << 20
)

// Write writes a calibration as JSON.
func Write(to io.Writer, c Calibration) error {
	if err := c.Check(); err != nil {
		return err
	}
	return json.NewEncoder(to).Encode(file{format, c})
}

// Read reads what [Write] wrote. Errors wrap [ErrCurve] or are the reader's.
func Read(from io.Reader) (Calibration, error) {
	decoder := json.NewDecoder(io.LimitReader(from, maxFile))
	decoder.DisallowUnknownFields()
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCurve, err)
	}
	if f.Format != format {
		return nil, fmt.Errorf("%w: format %d; %d is read here", ErrCurve, f.Format, format)
	}
	return f.Curves, f.Curves.Check()
}

// Model is a model with a calibration. It is a [ranker.Calibrated].
type Model struct {
	ranker.Model
	calibration Calibration
	main        *Curve
}

// With gives a model a calibration. Its Probability is of a click; where that has no curve,
// of the first objective in order of the names. The calibration must not change after.
func With(m ranker.Model, c Calibration) (*Model, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	first := ""
	for name := range c {
		if first == "" || name == Click || first != Click && name < first {
			first = name
		}
	}
	return &Model{Model: m, calibration: c, main: c[first]}, nil
}

// Probability is that of a click on an item shown first with this score.
func (m *Model) Probability(score float64) float64 { return m.main.At(score) }

// ProbabilityOf is that of another objective; ok false: it has no curve.
func (m *Model) ProbabilityOf(objective string, score float64) (p float64, ok bool) {
	curve, ok := m.calibration[objective]
	if !ok {
		return 0, false
	}
	return curve.At(score), true
}
