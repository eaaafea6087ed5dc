package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type experimentsCommand struct {
	List   experimentsList   `cmd:"" help:"List experiments."`
	Get    experimentsGet    `cmd:"" help:"Print an experiment as a file that put takes."`
	Put    experimentsPut    `cmd:"" help:"Put an experiment, or change it, from a file."`
	Stop   experimentsStop   `cmd:"" help:"Stop an experiment; it stays to be looked at."`
	Delete experimentsDelete `cmd:"" help:"Delete an experiment."`
}

// withExperiments connects to the service's experiments.
func withExperiments(ctx context.Context, f *clientFlags, fn func(context.Context, kindredv1.ExperimentServiceClient) error) error {
	return f.with(ctx, "experiments", func(ctx context.Context, conn *grpc.ClientConn) error {
		return fn(ctx, kindredv1.NewExperimentServiceClient(conn))
	})
}

type experimentsList struct{ clientFlags }

// Help is what `experiments list --help` says beyond its flags.
func (experimentsList) Help() string {
	return `Example:
  kindred experiments list --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run lists experiments.
func (c *experimentsList) Run(ctx context.Context) error {
	return withExperiments(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.ExperimentServiceClient) error {
		reply, err := client.ListExperiments(ctx, &kindredv1.ListExperimentsRequest{})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printExperiments(os.Stdout, reply.Experiments) })
	})
}

func printExperiments(w io.Writer, list []*kindredv1.Experiment) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "no experiments yet; put one with: kindred experiments put FILE")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "EXPERIMENT\tREVISION\tSTATUS\tVARIANTS\tSURFACES\tLAYER\tUPDATED")
	for _, e := range list {
		var variants []string
		for _, v := range e.Variants {
			variants = append(variants, fmt.Sprintf("%s %.4g", v.Name, v.Share))
		}
		surfaces := strings.Join(e.Surfaces, ", ")
		if surfaces == "" {
			surfaces = "all"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", e.Name, e.Revision,
			strings.ToLower(strings.TrimPrefix(e.Status.String(), "EXPERIMENT_STATUS_")), strings.Join(variants, ", "), surfaces, e.Layer, moment(e.UpdateTime))
	}
	return t.Flush()
}

type experimentsGet struct {
	clientFlags
	Name string `arg:"" help:"The experiment's name."`
}

// Help is what `experiments get --help` says beyond its flags.
func (experimentsGet) Help() string {
	return `Example:
  kindred experiments get spring --addr 127.0.0.1:50051 > spring.json`
}

// Run prints an experiment.
func (c *experimentsGet) Run(ctx context.Context) error {
	return withExperiments(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.ExperimentServiceClient) error {
		reply, err := client.GetExperiment(ctx, &kindredv1.GetExperimentRequest{Name: c.Name})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printFile(os.Stdout, reply.Experiment) })
	})
}

type experimentsPut struct {
	clientFlags
	File   string `arg:"" help:"A file of JSON as experiments get prints it; - for standard input."`
	Expect *int32 `placeholder:"REVISION" help:"Refuse if another revision is the last by now; 0: if there is one. Not set: the revision in the file, where it has one."`
	Any    bool   `help:"Put whatever revision is the last by now."`
}

// Help is what `experiments put --help` says beyond its flags.
func (experimentsPut) Help() string {
	return `A file such as

  {"name": "spring", "status": "EXPERIMENT_STATUS_RUNNING", "surfaces": ["home"], "variants": [
    {"name": "control", "share": 0.5}, {"name": "bold", "policy": "home", "share": 0.5}]}

Example:
  kindred experiments put spring.json --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run puts an experiment.
func (c *experimentsPut) Run(ctx context.Context) error {
	e := &kindredv1.Experiment{}
	if err := readMessage(c.File, e); err != nil {
		return fmt.Errorf("experiments: %w", err)
	}
	if c.Any && c.Expect != nil {
		return errors.New("experiments: --any and --expect contradict each other: give one of them")
	}
	ask := &kindredv1.PutExperimentRequest{Experiment: e, ExpectedRevision: c.Expect}
	if c.Expect == nil && !c.Any && e.Revision > 0 {
		ask.ExpectedRevision = &e.Revision
	}
	return c.put(ctx, ask, "put")
}

func (c *clientFlags) put(ctx context.Context, ask *kindredv1.PutExperimentRequest, what string) error {
	return withExperiments(ctx, c, func(ctx context.Context, client kindredv1.ExperimentServiceClient) error {
		reply, err := client.PutExperiment(ctx, ask)
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			fmt.Printf("%s is %s (revision %d)\n", reply.Experiment.Name, what, reply.Experiment.Revision)
			return nil
		})
	})
}

type experimentsStop struct {
	clientFlags
	Name string `arg:"" help:"The experiment's name."`
}

// Help is what `experiments stop --help` says beyond its flags.
func (experimentsStop) Help() string {
	return `Example:
  kindred experiments stop spring --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run stops an experiment, unless it was changed meanwhile.
func (c *experimentsStop) Run(ctx context.Context) error {
	var e *kindredv1.Experiment
	if err := withExperiments(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.ExperimentServiceClient) error {
		reply, err := client.GetExperiment(ctx, &kindredv1.GetExperimentRequest{Name: c.Name})
		e = reply.GetExperiment()
		return err
	}); err != nil {
		return err
	}
	e.Status = kindredv1.ExperimentStatus_EXPERIMENT_STATUS_STOPPED
	return c.put(ctx, &kindredv1.PutExperimentRequest{Experiment: e, ExpectedRevision: &e.Revision}, "stopped")
}

type experimentsDelete struct {
	clientFlags
	Name string `arg:"" help:"The experiment's name."`
}

// Help is what `experiments delete --help` says beyond its flags.
func (experimentsDelete) Help() string {
	return `Example:
  kindred experiments delete spring --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run deletes an experiment.
func (c *experimentsDelete) Run(ctx context.Context) error {
	return withExperiments(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.ExperimentServiceClient) error {
		reply, err := client.DeleteExperiment(ctx, &kindredv1.DeleteExperimentRequest{Name: c.Name})
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			fmt.Printf("%s is deleted\n", c.Name)
			return nil
		})
	})
}
