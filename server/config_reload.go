package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type configReload struct {
	clientFlags
	DryRun bool `help:"Say what would change, and change nothing."`
}

// Help is what `config reload --help` says beyond its flags.
func (configReload) Help() string {
	return `Examples:
  kindred config reload --addr 127.0.0.1:50051 --dry-run
  kindred config reload --addr kindred-1:50051 --key-file admin.key --ca ca.pem

It does what SIGHUP does, and tells what became of it: what changed, what waits for a restart, or every mistake
of the settings, with which nothing changes. The key is one of an admin of the tenant "default".`
}

// Run asks the service.
func (c *configReload) Run(ctx context.Context) error {
	return c.with(ctx, "config reload", func(ctx context.Context, conn *grpc.ClientConn) error {
		reply, err := kindredv1.NewAdminServiceClient(conn).ReloadConfiguration(ctx, &kindredv1.ReloadConfigurationRequest{DryRun: c.DryRun})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return writeReloaded(os.Stdout, reply, c.DryRun) })
	})
}

// writeReloaded tells what changed in lines.
func writeReloaded(w io.Writer, reply *kindredv1.ReloadConfigurationResponse, dry bool) error {
	changed := "changed"
	if dry {
		changed = "would change"
	}
	if len(reply.Changed)+len(reply.NeedsRestart) == 0 {
		_, err := fmt.Fprintln(w, "the settings are as they were")
		return err
	}
	for _, part := range []struct {
		what string
		list []*kindredv1.SettingChange
	}{{changed, reply.Changed}, {"needs a restart", reply.NeedsRestart}} {
		for _, s := range part.list {
			if _, err := fmt.Fprintf(w, "%s: %s from %q to %q\n", part.what, s.Name, s.From, s.To); err != nil {
				return err
			}
		}
	}
	return nil
}
