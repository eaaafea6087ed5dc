package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

type serveCommand struct {
	Config string `type:"path" placeholder:"FILE" help:"File of settings, in YAML: config example prints one. Flags and the environment (KINDRED_GRPC for --grpc) count before it."`

	Data         string `default:"data" type:"path" placeholder:"DIR" help:"Directory of the store; it is made if it does not exist."`
	GRPC         string `name:"grpc" default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the gRPC port. Beyond loopback an API key must exist."`
	HTTP         string `name:"http" default:"127.0.0.1:50052" placeholder:"HOST:PORT" help:"Address of gRPC-Web, JSON and health, and of metrics where it is on loopback and there is no --ops; empty for none."`
	Ops          string `placeholder:"HOST:PORT" help:"Address of metrics and, on loopback alone, of Go's profiles."`
	Pprof        string `placeholder:"HOST:PORT" help:"Address of Go's profiles, on loopback alone. Not set: none."`
	Engine       string `default:"auto" enum:"auto,flat,hnsw,coder" help:"Index engine: flat (exact, a scan), hnsw (a graph, for large catalogs), auto (flat up to 10,000 items, then hnsw), or coder (coder/hnsw, for comparison)."`
	IndexStorage string `default:"float32" enum:"float32,int8" help:"How hnsw keeps vectors for its walk: float32, or int8 (a quarter of the memory; the float vectors lie in a file)."`
	Encoder      string `default:"static" placeholder:"MODEL" help:"Text encoder: static (the embedded table), a model's folder, owner/model on the hub, or remote (workers, see embed)."`
	Backend      string `default:"auto" enum:"auto,go,xla:cpu,xla:cuda" help:"What computes a transformer in this process: ${enum}."`
	encoderWorkers
	EmbedHistoriesAddr []string `placeholder:"HOST:PORT,..." help:"Workers that make users' vectors when another model serves (those of --embed-addr, if they do)."`

	RankingAge  time.Duration `default:"5s" max:"1m" min:"0s" reload:"" placeholder:"DURATION" help:"How long a person's ranking serves the same request again while no event of theirs arrives; 0 ranks each request. At most 1m."`
	TrainEvery  time.Duration `default:"0s" zero:"" min:"1s" reload:"" placeholder:"DURATION" help:"Train each tenant anew so long after its last training began, in a child process of the lowest priority, and promote the model within the default thresholds. 0: not."`
	TrainAfter  int64         `default:"0" min:"0" reload:"" placeholder:"EVENTS" help:"Train a tenant when it has so many new events. 0: not."`
	TrainCores  int           `default:"0" zero:"" min:"1" max:"256" reload:"" placeholder:"N" help:"Processors that training uses; 0: half of them."`
	TrainMemory config.Size   `default:"1GiB" min:"64MiB" reload:"" placeholder:"SIZE" help:"Bound of training's memory, such as 512MiB."`
	TrainEpochs int           `default:"0" zero:"" min:"1" max:"100000" reload:"" placeholder:"N" help:"Passes over the log of one training, at most, where its time has to be bounded. 0: 60; it stops before when the validation does not get better."`

	accessFlags
	logFlags
	observeFlags
	limitFlags
	boundFlags
	connectionFlags
	memoryFlags

	settings *config.Settings
}

// BeforeResolve reads the environment and the file.
func (c *serveCommand) BeforeResolve(ctx *kong.Context, trace *kong.Path) (err error) {
	c.settings, err = config.Load(ctx, trace.Node().Flags)
	return err
}

// AfterApply fits caches to the memory there is, and checks what no range of one flag tells.
func (c *serveCommand) AfterApply() error {
	c.fit(os.Getenv(memoryVariable), c.settings)
	return errors.Join(c.limitFlags.check(), c.boundFlags.check(), c.accessFlags.check())
}

// Help is what `serve --help` says beyond its flags.
func (serveCommand) Help() string {
	return `Examples:
  kindred serve --data /var/lib/kindred --grpc 127.0.0.1:50051
  kindred serve --http 127.0.0.1:50052 --cors-origin https://shop.example
  curl -H 'Content-Type: application/json' -d '{"subject": {"user_id": "ann"}, "limit": 5}' \
    http://127.0.0.1:50052/kindred.v1.RecommendationService/Recommend
  kindred serve --encoder remote --embed-addr gpu-1:50061,gpu-2:50061 --embed-token-file worker.key --embed-ca ca.pem
  kindred config example > kindred.yaml && kindred serve --config kindred.yaml

A setting is a flag (--ranking-age), a variable of the environment (KINDRED_RANKING_AGE) or a line of the
file (ranking-age: 2s), which count in that order. config print shows what counts. SIGHUP, or config reload
from elsewhere, reads file and environment again: what can change does, and the log says what needs a restart.

With a slow encoder (anything but a static table) texts are encoded in the background; the embedded
table serves until the catalog is encoded. GetTenant and the metrics tell how far it is.

With --train-every or --train-after each tenant's log is trained on by a child process, one at a time;
GetTenant, ListModels and the log tell how it went. Training on another machine is the train command.

Stop it with SIGTERM or Ctrl-C: calls under way end first.`
}

// Run serves until a signal comes.
func (c *serveCommand) Run(ctx context.Context) error {
	spareThreads()
	c.setLimit()
	level := new(slog.LevelVar)
	level.Set(c.level())
	log := c.logger(level)
	settings := newReloader(log, level, os.Args[1:], c)
	defer settings.stop()
	for _, w := range c.settings.Warnings {
		log.Warn(w)
	}
	trains, err := c.training()
	if err != nil {
		return err
	}
	texts, err := c.openEncoder(ctx, log)
	if err != nil {
		return err
	}
	users, closeUsers, err := c.openUsers()
	if err != nil {
		return errors.Join(err, texts.Close())
	}
	with := c.serviceConfig(log, texts, users, trains)
	with.Reload = settings.reload
	s, err := service.Start(ctx, with)
	if err != nil {
		return errors.Join(err, closeUsers(), texts.Close())
	}
	access := "API keys required"
	if s.Open() {
		access = "no API key required: loopback only"
	}
	log.Info("serving", "grpc", s.Addr(), "http", s.HTTPAddr(), "data", c.Data, "access", access)
	err = settings.wait(ctx, s)
	log.Info("stopping: calls under way end first")
	if stopErr := errors.Join(s.Stop(), closeUsers(), texts.Close()); err == nil && stopErr != nil {
		err = fmt.Errorf("stopping: %w", stopErr)
	}
	return err
}

// serviceConfig is what the service runs with.
func (c *serveCommand) serviceConfig(log *slog.Logger, texts embed.Encoder, users shop.UserEncoder, trains schedule.Config) service.Config {
	index := shop.IndexConfig{Engine: shop.Engine(c.Engine)}
	if c.IndexStorage == "int8" {
		index.Storage = hnsw.Int8
	}
	out := service.Config{
		Data: c.Data, GRPC: c.GRPC, HTTP: c.HTTP, Ops: c.Ops, Pprof: c.Pprof, Store: store.DefaultOptions(),
		Shop: shop.Config{Encoder: texts, Index: index, RankingAge: c.rankingAge(), Models: shop.ModelsConfig{Users: users}}, Log: log,
		Training: trains,
	}
	c.accessFlags.put(&out)
	c.limitFlags.put(&out)
	c.boundFlags.put(&out)
	c.connectionFlags.put(&out)
	c.memoryFlags.put(&out)
	c.observeFlags.put(&out)
	return out
}

// rankingAge is the flag as shop.Config has it: its zero means its default.
func (c *serveCommand) rankingAge() time.Duration {
	if c.RankingAge == 0 {
		return -1
	}
	return c.RankingAge
}
