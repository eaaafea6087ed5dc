package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/server/worker"
)

type embedCommand struct {
	Model     string `default:"static" placeholder:"MODEL" help:"static (the embedded table), a model's folder, or owner/model on the hub."`
	Backend   string `default:"auto" enum:"auto,go,xla:cpu,xla:cuda" help:"What computes a transformer: ${enum}."`
	Precision string `default:"fp32" enum:"fp32,bf16,fp16" help:"What a transformer's products are computed in: ${enum}; bf16 and fp16 need XLA, and pay on a GPU."`
	Revision  string `placeholder:"REV" help:"Branch, tag or commit of a model on the hub (main)."`
	Offline   bool   `help:"Never ask the hub: the model must be on this machine."`

	Listen string `default:"127.0.0.1:50061" placeholder:"HOST:PORT" help:"Address of the gRPC port. Beyond loopback a key file or client certificates are needed."`
	HTTP   string `name:"http" default:"127.0.0.1:50062" placeholder:"HOST:PORT" help:"Address of health and metrics; empty for none."`

	KeyFile  string `type:"path" placeholder:"FILE" help:"Keys that callers may send as a bearer token, one a line, 256 random bits at least."`
	TLSCert  string `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate in PEM; turns on TLS."`
	TLSKey   string `name:"tls-key" type:"path" placeholder:"FILE" help:"Its private key in PEM."`
	ClientCA string `name:"client-ca" type:"path" placeholder:"FILE" help:"Authorities in PEM whose certificates callers must show."`

	MaxTokens   int   `placeholder:"N" help:"Tokens of a text that a transformer reads (what the model says)."`
	BatchTokens int   `placeholder:"N" help:"Tokens of a batch, at most (16,384)."`
	Lengths     []int `placeholder:"N,..." help:"Lengths that texts are padded to, for encoders that leave it to the batcher."`
	Rows        []int `placeholder:"N,..." help:"Texts that a batch is padded to, likewise; the last bounds any batch (1,8,32,64,128,256)."`
	Runners     int   `placeholder:"N" help:"Batches computed at once (1; on a GPU 2; a static table: as many as cores)."`
	QueueTexts  int   `placeholder:"N" help:"Texts accepted and not answered, at most (8,192)."`
	QueueBytes  int   `placeholder:"N" help:"Bytes of such texts, at most (32 MiB)."`

	Latency time.Duration `default:"40ms" help:"How long a query may wait before it is computed: those that would wait longer are refused at once, and batches take half of it at most."`

	QueryPrefix    string `placeholder:"TEXT" help:"What is put before a query (the model's own prompt)."`
	DocumentPrefix string `placeholder:"TEXT" help:"What is put before a document (the model's own prompt)."`

	Bundles       string `type:"path" placeholder:"DIR" help:"Also make users' vectors by trained models, which lie in this folder or are uploaded to it; it is this worker's alone."`
	BundlesKept   int    `placeholder:"N" help:"Models that an upload leaves in the folder, the newest, beside those in use (8)."`
	BundlesLoaded int    `placeholder:"N" help:"Models kept in memory beside those that calls use (2)."`

	Drain time.Duration `default:"10s" help:"How long calls under way may take to end at a stop."`
	Quiet bool          `help:"Log warnings and errors alone."`
}

// placesToAnswer are scheduler places beyond those of the encoder: for a call's reader and
// its writer.
const placesToAnswer = 2

// Help is what `embed --help` says beyond its flags.
func (embedCommand) Help() string {
	return `Serves a text encoder to services on other machines.
Examples:
  kindred embed
  kindred embed --bundles bundles
  openssl rand -hex 32 > worker.key
  kindred embed --model sentence-transformers/all-MiniLM-L6-v2 --backend xla:cuda --listen 0.0.0.0:50061 --key-file worker.key --tls-cert cert.pem --tls-key key.pem
Stop it with SIGTERM or Ctrl-C: calls under way end first.`
}

// Run serves until a signal comes.
func (c *embedCommand) Run(ctx context.Context) error {
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	config := worker.Config{
		Model:  worker.ModelConfig{Name: c.Model, Backend: c.Backend, Precision: c.Precision, MaxTokens: c.MaxTokens, Revision: c.Revision, Offline: c.Offline},
		Listen: c.Listen, HTTP: c.HTTP, Certificate: c.TLSCert, PrivateKey: c.TLSKey, ClientCA: c.ClientCA,
		Batch: batch.Config{
			Tokens: c.BatchTokens, Lengths: c.Lengths, Rows: c.Rows, Runners: c.Runners, MaxTexts: c.QueueTexts, MaxBytes: c.QueueBytes,
			Latency: c.Latency,
		},
		Histories: histories.Config{Dir: c.Bundles, Keep: c.BundlesKept, Loaded: c.BundlesLoaded},
		Server:    remote.ServerConfig{QueryPrefix: c.QueryPrefix, DocumentPrefix: c.DocumentPrefix},
		Drain:     c.Drain, Log: log,
	}
	access := "no key required: loopback only"
	if c.KeyFile != "" {
		keys, err := worker.ReadKeyFile(c.KeyFile)
		if err != nil {
			return err
		}
		config.Keys, access = keys, "key required"
	}
	if c.ClientCA != "" {
		access += ", client certificate required"
	}
	w, err := worker.Start(ctx, config)
	if err != nil {
		return err
	}
	// The encoder has a goroutine for each core, which computes for long at a time. Without
	// a place of their own in the scheduler, those that answer calls wait for it, one that
	// only refuses too.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + placesToAnswer))
	log.Info("serving", "grpc", w.Addr(), "http", w.HTTPAddr(), "model", w.Model(), "backend", w.Backend(), "access", access)
	err = w.Wait(ctx)
	log.Info("stopping: calls under way end first")
	if stopErr := w.Stop(); err == nil && stopErr != nil {
		err = fmt.Errorf("stopping: %w", stopErr)
	}
	return err
}
