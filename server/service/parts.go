package service

import (
	"fmt"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/coder"
	"github.com/kindred-rec/kindred/index/flat"
)

func defaultEncoder() (embed.Encoder, error) {
	e, err := static.Default()
	if err != nil {
		return nil, fmt.Errorf("embedded encoder: %w", err)
	}
	return e, nil
}

// engine returns the constructor of a named index engine.
func engine(name string, maxItems uint32) (func(dim int) (index.Index, error), error) {
	bound := int(maxItems)
	switch name {
	case "flat":
		return func(dim int) (index.Index, error) { return flat.New(flat.Config{Dim: dim, MaxItems: bound}) }, nil
	case "coder":
		return func(dim int) (index.Index, error) { return coder.New(coder.Config{Dim: dim, MaxItems: bound}) }, nil
	}
	return nil, fmt.Errorf("index engine %q is unknown: use flat or coder", name)
}
