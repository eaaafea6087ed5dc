package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/service"
)

// wait serves until ctx ends or a server fails, and reads the settings again on SIGHUP.
func (c *serveCommand) wait(ctx context.Context, s *service.Service, log *slog.Logger, level *slog.LevelVar) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	ended := make(chan error, 1)
	go func() { ended <- s.Wait(ctx) }()
	now := c
	for {
		select {
		case err := <-ended:
			return err
		case <-again:
			now = now.reload(ctx, s, log, level)
		}
	}
}

// reload reads the settings again and applies what can change. It returns those that
// count now. Settings that have a mistake change nothing.
func (c *serveCommand) reload(ctx context.Context, s *service.Service, log *slog.Logger, level *slog.LevelVar) *serveCommand {
	var fresh cli
	if _, err := parse(ctx, &fresh, os.Args[1:]); err != nil {
		log.Error("settings not read again, nothing changes", "error", err)
		return c
	}
	next := &fresh.Serve
	changes := config.Diff(c.settings, next.settings)
	if err := next.apply(s, changes, level); err != nil {
		log.Error("settings not applied", "error", err)
		return c
	}
	log.Info("settings read again", "changes", len(changes))
	for _, change := range changes {
		if change.Reload {
			log.Info("setting changed", "name", change.Name, "from", change.From, "to", change.To)
		} else {
			log.Warn("setting needs a restart to change", "name", change.Name, "from", change.From, "to", change.To)
		}
	}
	return next
}

// apply hands over what can change while the service runs.
func (c *serveCommand) apply(s *service.Service, changes []config.Change, level *slog.LevelVar) error {
	trains, err := c.training()
	if err != nil {
		return err
	}
	level.Set(c.level())
	var access service.Config
	c.accessFlags.put(&access)
	live := service.Live{RankingAge: c.rankingAge(), TraceShare: c.TraceShare, Quotas: access.Quotas, Origins: access.Origins}
	for _, change := range changes {
		switch change.Name {
		case "train-every", "train-after", "train-cores", "train-memory":
			live.Training = &trains
		}
	}
	return s.Change(live)
}
