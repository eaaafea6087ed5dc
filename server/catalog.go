package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type catalogCommand struct {
	Exposure catalogExposure `cmd:"" help:"What was shown, clicked and purchased, and why an item is not shown."`
	Health   catalogHealth   `cmd:"" help:"What in the catalog keeps items from being found."`
	Rollback catalogRollback `cmd:"" help:"Bring back the catalog before the last replacement."`
}

// withCatalog connects to the service's catalog.
func withCatalog(ctx context.Context, f *clientFlags, fn func(context.Context, kindredv1.CatalogServiceClient) error) error {
	return f.with(ctx, "catalog", func(ctx context.Context, conn *grpc.ClientConn) error {
		return fn(ctx, kindredv1.NewCatalogServiceClient(conn))
	})
}

// lastFlag says how far back a command looks.
type lastFlag struct {
	Last time.Duration `default:"168h" help:"How far back to look."`
}

func (f lastFlag) from() (*timestamppb.Timestamp, error) {
	if f.Last <= 0 {
		return nil, fmt.Errorf("catalog: --last is %v: give a time above 0, such as 168h", f.Last)
	}
	return timestamppb.New(time.Now().Add(-f.Last)), nil
}

type catalogExposure struct {
	clientFlags
	lastFlag
	Names   []string `arg:"" optional:"" help:"Items or labels. None: those shown most."`
	By      string   `enum:"item,seller,brand,category" default:"item" help:"What to count by: ${enum}."`
	Surface string   `placeholder:"NAME" help:"Lists of this surface alone."`
	Limit   int32    `default:"20" help:"Rows where no names are given, 1 to 1,000."`
	Why     string   `placeholder:"ITEM" help:"Say why this item is or is not shown, on a sample of requests."`
}

// Help is what `catalog exposure --help` says beyond its flags.
func (catalogExposure) Help() string {
	return `Clicks are those that name the list; purchases are all.

Examples:
  kindred catalog exposure --by seller --last 24h --addr 127.0.0.1:50051 --key-file merchant.key
  kindred catalog exposure p-17 --why p-17 --addr 127.0.0.1:50051`
}

// Run tells exposure.
func (c *catalogExposure) Run(ctx context.Context) error {
	from, err := c.from()
	if err != nil {
		return err
	}
	ask := &kindredv1.GetExposureRequest{
		By:    kindredv1.ExposureBy(kindredv1.ExposureBy_value["EXPOSURE_BY_"+strings.ToUpper(c.By)]),
		Names: c.Names, FromTime: from, Surface: c.Surface, Limit: c.Limit, ExplainItemId: c.Why,
	}
	return withCatalog(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.CatalogServiceClient) error {
		reply, err := client.GetExposure(ctx, ask)
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printExposure(os.Stdout, c.By, c.Why, reply) })
	})
}

func printExposure(w io.Writer, by, why string, r *kindredv1.GetExposureResponse) error {
	fmt.Fprintf(w, "%d lists, %d places\n", r.Lists, r.Places)
	if r.Omitted != "" {
		fmt.Fprintln(w, "not read:", r.Omitted)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tSHOWN\tSHARE\tCLICKED\tPURCHASED\tMEAN SLOT\n", strings.ToUpper(by))
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f%%\t%d\t%d\t%.1f\n", x.Name, x.Shown, 100*float64(x.Shown)/float64(max(1, r.Places)), x.Clicked, x.Purchased, x.SlotMean)
	}
	if err := t.Flush(); err != nil || why == "" {
		return err
	}
	total := int32(0)
	for _, v := range r.Verdicts {
		total += v.Requests
	}
	fmt.Fprintf(w, "%s on %d requests, ranked anew:\n", why, total)
	for _, v := range r.Verdicts {
		if _, err := fmt.Fprintf(w, "  %d: %s\n", v.Requests, v.Text); err != nil {
			return err
		}
	}
	return nil
}

type catalogHealth struct {
	clientFlags
	lastFlag
}

// Help is what `catalog health --help` says beyond its flags.
func (catalogHealth) Help() string {
	return `Example:
  kindred catalog health --addr 127.0.0.1:50051 --key-file merchant.key`
}

// Run tells the catalog's health.
func (c *catalogHealth) Run(ctx context.Context) error {
	from, err := c.from()
	if err != nil {
		return err
	}
	return withCatalog(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.CatalogServiceClient) error {
		reply, err := client.CatalogHealth(ctx, &kindredv1.CatalogHealthRequest{FromTime: from})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printHealth(os.Stdout, reply) })
	})
}

func printHealth(w io.Writer, r *kindredv1.CatalogHealthResponse) error {
	fmt.Fprintf(w, "%d items\n", r.Items)
	if r.Omitted != "" {
		fmt.Fprintln(w, "not read:", r.Omitted)
	}
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%s: %s\n", c.Name, c.Text)
		if len(c.Sample) > 0 {
			fmt.Fprintf(w, "  such as %s\n", strings.Join(c.Sample[:min(5, len(c.Sample))], ", "))
		}
	}
	return nil
}

type catalogRollback struct {
	clientFlags
	DryRun bool `help:"Say what would happen, and change nothing."`
}

// Help is what `catalog rollback --help` says beyond its flags.
func (catalogRollback) Help() string {
	return `What was written to items since is undone too. A second rollback undoes the first.

Example:
  kindred catalog rollback --dry-run --addr 127.0.0.1:50051 --key-file merchant.key`
}

// Run rolls back.
func (c *catalogRollback) Run(ctx context.Context) error {
	return withCatalog(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.CatalogServiceClient) error {
		reply, err := client.RollbackCatalog(ctx, &kindredv1.RollbackCatalogRequest{DryRun: c.DryRun})
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			state := "is undone"
			if c.DryRun {
				state = "would be undone"
			}
			n := reply.Counts
			_, err := fmt.Printf("import %s of %s %s: %d items come back, %d change, %d go, %d stay; the catalog has %d items\n",
				reply.ImportId, moment(reply.ImportTime), state, n.GetAdded(), n.GetChanged(), n.GetRemoved(), n.GetUnchanged(), reply.CatalogItems)
			return err
		})
	})
}
