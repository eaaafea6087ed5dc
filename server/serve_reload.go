package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/service"
)

// reloader reads the settings again, on SIGHUP and when an operator asks for it.
type reloader struct {
	log   *slog.Logger
	level *slog.LevelVar
	args  []string // of the process, without its name

	again chan os.Signal // SIGHUP, from the start of the process on

	mu      sync.Mutex
	service *service.Service // nil: not started yet, or stopping
	now     *serveCommand    // what counts
}

var errNotServing = status.Error(codes.Unavailable, "the service is starting or stopping: settings are read again while it serves")

// newReloader hears SIGHUP from now on: one that comes before the service serves would end the
// process otherwise, and is obeyed once it does. stop it in the end.
func newReloader(log *slog.Logger, level *slog.LevelVar, args []string, now *serveCommand) *reloader {
	r := &reloader{log: log, level: level, args: args, again: make(chan os.Signal, 1), now: now}
	signal.Notify(r.again, syscall.SIGHUP)
	return r
}

func (r *reloader) stop() { signal.Stop(r.again) }

// serves has settings applied to a service; nil: to none any more.
func (r *reloader) serves(s *service.Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.service = s
}

// wait serves until ctx ends or a server fails, and reads the settings again on SIGHUP.
func (r *reloader) wait(ctx context.Context, s *service.Service) error {
	r.serves(s)
	defer r.serves(nil)
	ended := make(chan error, 1)
	go func() { ended <- s.Wait(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-r.again:
			_, _ = r.reload(ctx, false) // it has logged what became of it
		}
	}
}

// reload reads the settings again, and unless it is a dry run applies what can change. It returns what differs. Settings that
// have a mistake change nothing.
func (r *reloader) reload(ctx context.Context, dry bool) ([]config.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.service == nil {
		return nil, errNotServing
	}
	var fresh cli
	if _, err := parse(ctx, &fresh, r.args); err != nil {
		r.log.Error("settings not read again, nothing changes", "error", err)
		return nil, err
	}
	next := &fresh.Serve
	changes := config.Diff(r.now.settings, next.settings)
	if dry {
		return changes, nil
	}
	if err := next.apply(r.service, changes, r.level); err != nil {
		r.log.Error("settings not applied", "error", err)
		return nil, err
	}
	r.log.Info("settings read again", "changes", len(changes))
	for _, change := range changes {
		if change.Reload {
			r.log.Info("setting changed", "name", change.Name, "from", change.From, "to", change.To)
		} else {
			r.log.Warn("setting needs a restart to change", "name", change.Name, "from", change.From, "to", change.To)
		}
	}
	r.now = next
	return changes, nil
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
		case "train-every", "train-after", "train-cores", "train-memory", "train-epochs":
			live.Training = &trains
		}
	}
	return s.Change(live)
}
