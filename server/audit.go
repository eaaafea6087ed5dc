package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/kindred-rec/kindred/server/audit"
)

type auditCommand struct {
	keysTarget
	Tenant string `help:"Tenant whose acts to list. Not set: the caller's with --addr, default with --data."`
	Limit  int    `default:"100" placeholder:"N" help:"Acts at most; 0: all that are kept."`
}

// Help is what `audit --help` says beyond its flags.
func (auditCommand) Help() string {
	return `Lists who did what when: keys, settings, policies, experiments, models, exports, erasures; the newest
first. An act without an outcome was cut short by the end of the service.

Example:
  kindred audit --addr 127.0.0.1:50051 --limit 20`
}

// Run lists the acts.
func (c *auditCommand) Run(ctx context.Context) error {
	if c.Limit < 0 {
		return fmt.Errorf("audit: --limit %d: give 1 or more, or 0 for all", c.Limit)
	}
	return c.with(ctx, func(admin keyAdmin) error {
		print, flush := c.printer()
		for before, left := int64(0), c.Limit; ; {
			page := 1000
			if c.Limit > 0 {
				page = min(page, left)
			}
			entries, next, err := admin.audit(ctx, c.Tenant, before, page)
			if err != nil {
				return err
			}
			for i := range entries {
				if err := print(&entries[i]); err != nil {
					return err
				}
			}
			left -= len(entries)
			if before = next; next == 0 || c.Limit > 0 && left == 0 {
				return flush()
			}
		}
	})
}

// printer prints entries as a table, or each as a line of JSON.
func (c *auditCommand) printer() (print func(*audit.Entry) error, flush func() error) {
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		return func(e *audit.Entry) error {
			return out.Encode(map[string]any{
				"id": e.ID, "time": e.Time.UTC().Format(time.RFC3339Nano), "tenant": e.Tenant, "key": e.KeyID, "role": e.Role,
				"method": e.Method, "target": e.Target, "peer": e.Peer, "code": e.Code, "seconds": e.Duration.Seconds(),
			})
		}, func() error { return nil }
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIME\tKEY\tROLE\tMETHOD\tTARGET\tOUTCOME")
	return func(e *audit.Entry) error {
		outcome := e.Code
		if outcome == "" {
			outcome = "not known"
		}
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%q\t%s\n",
			e.ID, e.Time.UTC().Format(time.RFC3339), e.KeyID, e.Role, e.Method, e.Target, outcome)
		return err
	}, w.Flush
}
