package network

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/ranker"
)

// file is how a network is kept.
type file struct {
	Kind       string    `json:"model"` // "network"
	Format     int       `json:"format"`
	Features   []column  `json:"features"`
	FirstBias  []float32 `json:"first_bias"`
	Second     []units   `json:"second"`
	SecondBias []float32 `json:"second_bias"`
	Last       []float32 `json:"last"`
}

type units []float32

// column is a feature's part.
type column struct {
	Name  string    `json:"name"`
	Skip  float64   `json:"linear"`
	Mean  float32   `json:"mean"`
	Scale float32   `json:"scale"`
	First []float32 `json:"first"` // its weight for each unit of the first layer
}

const (
	kind    = "network"
	format  = 1
	maxFile = 4 << 20
)

// Write writes a model as JSON.
func Write(to io.Writer, m *Model) error {
	p := &m.parameters
	f := file{Kind: kind, Format: format, FirstBias: p.FirstBias, SecondBias: p.SecondBias, Last: p.Last}
	for i := range features {
		c := column{Name: ranker.Feature(i).String(), Skip: p.Skip[i], Mean: p.Mean[i], Scale: p.Scale[i]}
		for _, r := range p.First {
			c.First = append(c.First, r[i])
		}
		f.Features = append(f.Features, c)
	}
	for _, r := range p.Second {
		f.Second = append(f.Second, r)
	}
	return json.NewEncoder(to).Encode(f)
}

// Read reads what [Write] wrote. Errors wrap [ErrModel] or are the reader's.
func Read(from io.Reader) (*Model, error) {
	decoder := json.NewDecoder(io.LimitReader(from, maxFile))
	decoder.DisallowUnknownFields()
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if f.Kind != kind || f.Format != format {
		return nil, fmt.Errorf("%w: it is model %q of format %d; %q of format %d is read here", ErrModel, f.Kind, f.Format, kind, format)
	}
	p := Parameters{FirstBias: f.FirstBias, SecondBias: f.SecondBias, Last: f.Last}
	p.First = make([][]float32, len(f.FirstBias))
	for j := range p.First {
		p.First[j] = make([]float32, features)
	}
	for _, r := range f.Second {
		p.Second = append(p.Second, r)
	}
	if err := p.place(f.Features); err != nil {
		return nil, err
	}
	return New(p)
}

// place puts the features' parts where this release has the features.
func (p *Parameters) place(columns []column) error {
	var met [features]bool
	for _, c := range columns {
		at, err := ranker.ParseFeature(c.Name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrModel, err)
		}
		if met[at] {
			return fmt.Errorf("%w: feature %s stands there twice", ErrModel, c.Name)
		}
		met[at] = true
		if len(c.First) != len(p.First) {
			return fmt.Errorf("%w: feature %s has %d weights for %d units", ErrModel, c.Name, len(c.First), len(p.First))
		}
		p.Skip[at], p.Mean[at], p.Scale[at] = c.Skip, c.Mean, c.Scale
		for j, w := range c.First {
			p.First[j][at] = w
		}
	}
	return nil
}
