// Package encoder opens the text encoder of a service, by name.
//
// # Which there are
//
//	static           the embedded table: immediate, no set-up
//	DIR              a static table, or a transformer that runs in this process
//	owner/model      a transformer of the hub, in this process
//	remote           workers, which `embed` starts, on other machines
//
// A transformer in process stands behind a batcher (embed/batch) with two lanes, so that a
// search does not wait behind a catalog. Its own prompts go before queries and documents.
//
// # Workers
//
// A service must start while its workers do not. What they serve, the model's name and
// dimension, is therefore kept in Config.File after the first contact. A later start that
// finds no worker takes it from there, and dials again with each call. Only a first start
// needs one.
//
// # Concurrency
//
// An Encoder is safe for concurrent use, as package embed says. Close is called once, after
// its last call.
package encoder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/server/worker"
)

// Static and Remote are the names that are no model's.
const (
	Static = "static"
	Remote = "remote"
)

// ErrConfig is wrapped by errors about settings that do not go together.
var ErrConfig = errors.New("encoder: bad configuration")

// Config names an encoder.
type Config struct {
	// Name is static (default), remote, a folder, or owner/model on the hub.
	Name string
	// Backend of a transformer in process: auto (default), go, xla:cpu or xla:cuda.
	Backend string
	// Remote says how workers are reached; only with remote.
	Remote remote.Config
	// File is where what workers serve is kept. Empty: nowhere, and each start needs one.
	File string
	// Log hears of models that are loaded. Default: nothing is said.
	Log *slog.Logger
}

// Encoder is an open encoder. Whether it is immediate says embed.IsImmediate.
type Encoder struct {
	embed.Encoder
	queries   embed.Encoder
	immediate bool
	close     func() error
}

var (
	_ embed.Immediate = (*Encoder)(nil)
	_ embed.Querier   = (*Encoder)(nil)
)

// Immediate implements embed.Immediate.
func (e *Encoder) Immediate() bool { return e.immediate }

// Queries implements embed.Querier.
func (e *Encoder) Queries() embed.Encoder { return e.queries }

// Close releases the encoder.
func (e *Encoder) Close() error { return e.close() }

// Open opens an encoder. A transformer is loaded and warmed up, which may take a minute.
// Errors wrap [ErrConfig], worker.ErrModel, or those of remote.Dial.
func Open(ctx context.Context, c Config) (*Encoder, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Name == Remote {
		return openRemote(ctx, c)
	}
	if len(c.Remote.Addrs) > 0 {
		return nil, fmt.Errorf("%w: the encoder is %q, which asks no worker at %s: name the encoder remote, or leave the addresses out",
			ErrConfig, c.Name, strings.Join(c.Remote.Addrs, ", "))
	}
	model, err := worker.Load(ctx, worker.ModelConfig{Name: c.Name, Backend: c.Backend, Log: c.Log})
	if err != nil {
		return nil, err
	}
	if model.Light {
		return &Encoder{Encoder: model.Encoder, queries: model.Encoder, immediate: true, close: model.Close}, nil
	}
	return openLocal(ctx, c, model)
}

// openLocal puts a batcher before a model of this process.
func openLocal(ctx context.Context, c Config, model *worker.Model) (*Encoder, error) {
	batcher, err := batch.New(model.Encoder, batch.Config{})
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	shut := func() error {
		gone, cancel := context.WithCancel(context.Background())
		cancel() // nobody waits for what is left
		if err := batcher.Close(gone); err != nil && !errors.Is(err, context.Canceled) {
			return errors.Join(err, model.Close())
		}
		return model.Close()
	}
	c.Log.Info("warming up the text encoder", "model", batcher.Info().Model, "backend", model.Backend)
	if err := batcher.Warm(ctx, nil); err != nil {
		return nil, errors.Join(err, shut())
	}
	return &Encoder{
		Encoder: worker.WithPrompt(batcher.Lane(batch.Bulk), model.DocumentPrompt),
		queries: worker.WithPrompt(batcher.Lane(batch.Interactive), model.QueryPrompt),
		close:   shut,
	}, nil
}
