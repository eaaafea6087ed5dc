package transformer

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/direct"
)

// Backend names what computes a forward pass.
type Backend string

// The backends.
const (
	Auto    Backend = "auto"     // the best that there is
	Go      Backend = "go"       // Go and its assembly; always there
	XLACPU  Backend = "xla:cpu"  // XLA on the processor; needs a PJRT plugin and cgo
	XLACUDA Backend = "xla:cuda" // XLA on an NVIDIA GPU; needs a PJRT plugin and cgo
)

// ErrBackend: the backend is not there, or cannot be used.
var ErrBackend = errors.New("transformer: backend cannot be used")

// ParseBackend reads the name of a backend.
func ParseBackend(name string) (Backend, error) {
	switch b := Backend(name); b {
	case Auto, Go, XLACPU, XLACUDA:
		return b, nil
	}
	return "", fmt.Errorf("transformer: backend %.40q: want auto, go, xla:cpu or xla:cuda", name)
}

// Precision names the type that products are computed in.
type Precision string

// The precisions. Computed on a processor, vectors of all-MiniLM-L6-v2 of 600 titles have
// cosines of at least .99996 (bf16) and .999999 (fp16) with those of fp32.
const (
	FP32 Precision = "fp32"
	BF16 Precision = "bf16"
	FP16 Precision = "fp16"
)

// ParsePrecision reads the name of a precision.
func ParsePrecision(name string) (Precision, error) {
	switch p := Precision(name); p {
	case FP32, BF16, FP16:
		return p, nil
	}
	return "", fmt.Errorf("transformer: precision %.40q: want fp32, bf16 or fp16", name)
}

// short reports whether the options ask for less than float32.
func (o Options) short() bool { return o.Precision != "" && o.Precision != FP32 }

// openEngine makes the engine that the options ask for.
func openEngine(m *checkpoint.Model, o Options) (engine, Backend, error) {
	if o.Backend == "" {
		o.Backend = Auto
	}
	if _, err := ParseBackend(string(o.Backend)); err != nil {
		return nil, "", err
	}
	if o.Plugin != "" && o.Backend != XLACPU && o.Backend != XLACUDA {
		return nil, "", fmt.Errorf("transformer: a plugin is for xla:cpu or xla:cuda, not for %s: %s", o.Backend, o.Plugin)
	}
	if o.Precision != "" {
		if _, err := ParsePrecision(string(o.Precision)); err != nil {
			return nil, "", err
		}
	}
	switch o.Backend {
	case Go:
		if o.short() {
			return nil, "", fmt.Errorf("%w: go computes in fp32 alone; %s needs xla:cuda or xla:cpu", ErrBackend, o.Precision)
		}
		return openGo(m, o), Go, nil
	case Auto:
		return openBest(m, o)
	}
	e, err := openNamedXLA(m, o.Backend, o)
	return e, o.Backend, err
}

func openNamedXLA(m *checkpoint.Model, b Backend, o Options) (engine, error) {
	var err error
	if o.Plugin, err = pluginOf(b, o.Plugin); err != nil {
		return nil, err
	}
	return openXLA(m, b, o)
}

// pluginOf is the named plugin, or else the one that is found.
func pluginOf(b Backend, named string) (string, error) {
	if !haveXLA {
		return "", fmt.Errorf("%w: %s: this binary was built without cgo or for a platform without XLA; the backend go needs neither", ErrBackend, b)
	}
	if named != "" {
		return named, nil
	}
	return FindPlugin(b)
}

// OpenXLA starts the plugin of [XLACPU] or [XLACUDA] as [Load] does, for graphs of the
// caller's own, such as those that train. A plugin "" is looked for as [FindPlugin]
// does. Errors wrap [ErrBackend]. The caller finalizes the backend.
func OpenXLA(b Backend, plugin string) (compute.Backend, error) {
	if b != XLACPU && b != XLACUDA {
		return nil, fmt.Errorf("%w: %.40q is no XLA backend; want xla:cpu or xla:cuda", ErrBackend, string(b))
	}
	plugin, err := pluginOf(b, plugin)
	if err != nil {
		return nil, err
	}
	return startPlugin(plugin, b)
}

// openBest takes a GPU where there is one. Otherwise it takes Go where its assembly
// runs, which is as fast as XLA and compiles nothing, and XLA where it does not.
func openBest(m *checkpoint.Model, o Options) (engine, Backend, error) {
	order := []Backend{XLACUDA}
	if kernel.Name() == "portable" || o.short() {
		order = append(order, XLACPU)
	}
	var passed []any
	for _, b := range order {
		e, err := openNamedXLA(m, b, o)
		if err == nil {
			o.Log.Info("text encoder's backend", append([]any{"chosen", b, "why", "its plugin is there"}, passed...)...)
			return e, b, nil
		}
		passed = append(passed, "not "+string(b), err)
	}
	if o.short() {
		return nil, "", fmt.Errorf("%w: %s needs xla:cuda or xla:cpu: %v", ErrBackend, o.Precision, passed)
	}
	why := "assembly for this processor: " + kernel.Name()
	if kernel.Name() == "portable" {
		why = "there is nothing else; it is slow without assembly for this processor"
	}
	o.Log.Info("text encoder's backend", append([]any{"chosen", Go, "why", why}, passed...)...)
	return openGo(m, o), Go, nil
}

func openGo(m *checkpoint.Model, o Options) engine {
	return goEngine{direct.New(m, o.Workers)}
}
