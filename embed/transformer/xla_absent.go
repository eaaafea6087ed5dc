//go:build !cgo || !((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package transformer

import (
	"github.com/gomlx/compute"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

const haveXLA = false

func openXLA(*checkpoint.Model, Backend, Options) (engine, error) { return nil, ErrBackend }

func startPlugin(string, Backend) (compute.Backend, error) { return nil, ErrBackend }
