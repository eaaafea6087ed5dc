package encoder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/remote"
)

// openRemote dials the workers, or waits for them with what is known of their model.
func openRemote(ctx context.Context, c Config) (*Encoder, error) {
	if len(c.Remote.Addrs) == 0 {
		return nil, fmt.Errorf("%w: the encoder is remote, and no worker is named: give the addresses of some, such as gpu-1:50061", ErrConfig)
	}
	client, err := remote.Dial(ctx, c.Remote)
	if err == nil {
		if err := remember(c.File, client.Info()); err != nil {
			return nil, errors.Join(err, client.Close())
		}
		c.Log.Info("text encoder found", "model", client.Info().Model, "workers", len(c.Remote.Addrs), "backend", client.Backend())
		return &Encoder{Encoder: client, queries: client.Queries(), close: client.Close}, nil
	}
	if !errors.Is(err, embed.ErrUnavailable) || ctx.Err() != nil {
		return nil, err
	}
	info, known := recall(c.File)
	if known != nil {
		return nil, fmt.Errorf("%w; and what they serve is not known from an earlier start (%v): start one with `server embed`", err, known)
	}
	c.Log.Warn("no worker answers; the service starts with what they served before, and asks again with each text", "model", info.Model, "error", err)
	late := newLate(c.Remote, info)
	return &Encoder{Encoder: late.documents(), queries: late.queries(), close: late.close}, nil
}

// known is what is kept of the workers' model.
type known struct {
	Model     string `json:"model"`
	Dimension int    `json:"dimension"`
	MaxTokens int    `json:"max_tokens"`
	MaxBytes  int    `json:"max_bytes"`
}

func remember(file string, info embed.Info) error {
	if file == "" {
		return nil
	}
	raw, err := json.MarshalIndent(known{info.Model, info.Dim, info.MaxTokens, info.MaxBytes}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keeping what the workers serve: %w", err)
	}
	if err := renameio.WriteFile(file, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping what the workers serve: %w", err)
	}
	return nil
}

func recall(file string) (embed.Info, error) {
	if file == "" {
		return embed.Info{}, errors.New("it is kept nowhere")
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return embed.Info{}, errors.New("there was none")
	}
	if err != nil {
		return embed.Info{}, err
	}
	var k known
	if err := json.Unmarshal(raw, &k); err != nil {
		return embed.Info{}, fmt.Errorf("%s: %w", file, err)
	}
	if k.Model == "" || k.Dimension < 1 {
		return embed.Info{}, fmt.Errorf("%s names no model and dimension", file)
	}
	return embed.Info{Model: k.Model, Dim: k.Dimension, MaxTokens: k.MaxTokens, MaxBytes: k.MaxBytes}, nil
}

// late is a client of workers that did not answer when the service started.
type late struct {
	config remote.Config
	info   embed.Info
	turn   chan struct{} // who holds its one place may dial, or read client
	client *remote.Client
}

func newLate(config remote.Config, info embed.Info) *late {
	config.Model = info.Model // another one is refused
	l := &late{config: config, info: info, turn: make(chan struct{}, 1)}
	return l
}

// dial returns the client once a worker answers. It waits no longer than ctx.
func (l *late) dial(ctx context.Context) (*remote.Client, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("encoder: no worker yet: %w", ctx.Err())
	}
	defer func() { <-l.turn }()
	if l.client != nil {
		return l.client, nil
	}
	client, err := remote.Dial(ctx, l.config)
	if err != nil {
		return nil, err
	}
	if dim := client.Info().Dim; dim != l.info.Dim {
		return nil, errors.Join(fmt.Errorf("%w: the workers serve %q in dimension %d, before it was %d", remote.ErrModelMismatch, l.info.Model, dim, l.info.Dim), client.Close())
	}
	l.client = client
	return client, nil
}

func (l *late) close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.client == nil {
		return nil
	}
	return l.client.Close()
}

func (l *late) documents() embed.Encoder {
	return lateEncoder{l, func(c *remote.Client) embed.Encoder { return c }}
}

func (l *late) queries() embed.Encoder {
	return lateEncoder{l, (*remote.Client).Queries}
}

// lateEncoder encodes with one of the client's encoders.
type lateEncoder struct {
	*late
	of func(*remote.Client) embed.Encoder
}

// Info implements embed.Encoder.
func (e lateEncoder) Info() embed.Info { return e.info }

// Encode implements embed.Encoder.
func (e lateEncoder) Encode(ctx context.Context, texts []string, out []float32) error {
	if err := e.info.CheckShape(len(texts), len(out)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	client, err := e.dial(ctx)
	if err != nil {
		return err
	}
	return e.of(client).Encode(ctx, texts, out)
}
