package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type policiesTry struct {
	clientFlags
	File     string        `arg:"" help:"A file of JSON as policies get prints it; - for standard input."`
	Against  string        `placeholder:"POLICY" help:"Compare with this one, name or name/version. Not set: the last version of what each request was served by."`
	Last     time.Duration `default:"168h" help:"How far back requests are drawn from."`
	Surface  string        `placeholder:"NAME" help:"Requests of this surface alone."`
	Requests int32         `default:"500" help:"How many to draw, 1 to 5,000."`
	Seed     uint64        `default:"1" help:"Draws them."`
}

// Help is what `policies try --help` says beyond its flags.
func (policiesTry) Help() string {
	return `Ranks logged requests anew under a policy, which need not be put, and tells what it would change. Nothing is served
or counted, and other requests go first.

Example:
  kindred policies try home.json --last 168h --addr 127.0.0.1:50051 --key-file merchant.key`
}

// Run tries a policy.
func (c *policiesTry) Run(ctx context.Context) error {
	p := &kindredv1.Policy{}
	if err := readMessage(c.File, p); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	if c.Last <= 0 {
		return fmt.Errorf("policies: --last is %v: give a time above 0, such as 168h", c.Last)
	}
	ask := &kindredv1.TryPolicyRequest{
		Policy: p, Against: c.Against, FromTime: timestamppb.New(time.Now().Add(-c.Last)), Surface: c.Surface, Requests: c.Requests, Seed: c.Seed,
	}
	return withPolicies(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.PolicyServiceClient) error {
		stream, err := client.TryPolicy(ctx, ask)
		if err != nil {
			return err
		}
		for {
			reply, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return errors.New("the service ended without a result")
			}
			if err != nil {
				return err
			}
			if reply.Result == nil {
				fmt.Fprintf(os.Stderr, "%d of %d requests\n", reply.Done, reply.Total)
				continue
			}
			return c.print(reply.Result, func() error { return printTrial(os.Stdout, reply.Result) })
		}
	})
}

func printTrial(w io.Writer, r *kindredv1.PolicyTrial) error {
	fmt.Fprintf(w, "%d of %d logged requests ranked anew\n", r.Requests, r.Logged)
	for _, why := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "  %d left out: %s\n", r.Skipped[why], why)
	}
	fmt.Fprintf(w, "lists that change: %.1f%%; items displaced: %.2f a list; slots moved: %.2f an item\n",
		100*r.ChangedShare, r.DisplacedMean, r.MovedMean)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tNOW\tTRIED")
	fmt.Fprintf(t, "places with new items\t%.1f%%\t%.1f%%\n", 100*r.Base.GetNewShare(), 100*r.Tried.GetNewShare())
	fmt.Fprintf(t, "categories a list\t%.2f\t%.2f\n", r.Base.GetCategoriesMean(), r.Tried.GetCategoriesMean())
	fmt.Fprintf(t, "different items\t%d\t%d\n", r.Base.GetItems(), r.Tried.GetItems())
	for _, kind := range []struct {
		name string
		list []*kindredv1.ExposureShift
	}{{"seller", r.Sellers}, {"brand", r.Brands}, {"category", r.Categories}, {"item", r.Items}} {
		for _, x := range kind.list {
			fmt.Fprintf(t, "%s %s\t%d\t%d\n", kind.name, x.Name, x.Base, x.Tried)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	e := r.Effect
	if e.GetRefusal() != "" {
		_, err := fmt.Fprintln(w, "effect on clicks: not estimated:", e.GetRefusal())
		return err
	}
	_, err := fmt.Fprintf(w, "effect on clicks: %.4f a list as estimated (standard error %.4f), %.4f as logged; %d of %d lists shared, worth %.0f\n",
		e.GetTriedClicks(), e.GetStandardError(), e.GetLoggedClicks(), e.GetShared(), e.GetLists(), e.GetEffectiveSample())
	return err
}
