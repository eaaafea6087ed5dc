//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package transformer

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
	"github.com/kindred-rec/kindred/embed/transformer/internal/compiled"
)

const haveXLA = true

// openXLA makes an engine of the plugin that o names.
func openXLA(m *checkpoint.Model, b Backend, o Options) (engine, error) {
	backend, err := startPlugin(o.Plugin, b)
	if err != nil {
		return nil, err
	}
	limits := compiled.OnProcessor
	if b == XLACUDA {
		limits = compiled.OnGPU
	}
	network, err := compiled.New(backend, m, limits, precisionType(o.Precision))
	if err != nil {
		backend.Finalize()
		return nil, fmt.Errorf("%w: %s: %w", ErrBackend, b, err)
	}
	return xlaEngine{network}, nil
}

func precisionType(p Precision) dtypes.DType {
	switch p {
	case BF16:
		return dtypes.BFloat16
	case FP16:
		return dtypes.Float16
	}
	return dtypes.Float32
}

func startPlugin(plugin string, b Backend) (compute.Backend, error) {
	xla.EnableAutoInstall(false) // nothing is downloaded unasked
	path, err := filepath.Abs(plugin)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackend, b, err)
	}
	backend, err := openPlugin(path, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: plugin %s: %w", ErrBackend, b, path, err)
	}
	return backend, nil
}

// openPlugin starts a plugin. On a processor a call computes on the thread that makes
// it, if the plugin can: a hand-over costs more than a short text.
func openPlugin(path string, b Backend) (*xla.Backend, error) {
	const options = ",tf32=false"
	if b == XLACPU {
		if backend, err := xla.NewWithOptions(path+options, pjrt.NamedValuesMap{"asynchronous": false}); err == nil {
			return backend, nil
		}
	}
	return xla.NewWithOptions(path+options, nil)
}

// xlaEngine is a network that XLA compiles.
type xlaEngine struct{ network *compiled.Network }

func (e xlaEngine) encode(ctx context.Context, texts batch.Texts, out []float32) error {
	return e.network.Encode(ctx, texts, out)
}

func (e xlaEngine) batch(tokens int) int { return e.network.Batch(tokens) }

func (e xlaEngine) warmUp(ctx context.Context, tokens int) error {
	return e.network.WarmUp(ctx, tokens)
}

func (e xlaEngine) compiled() int { return e.network.Compiled() }

func (e xlaEngine) close() error { return e.network.Close() }
