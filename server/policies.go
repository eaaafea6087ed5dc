package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type policiesCommand struct {
	List   policiesList   `cmd:"" help:"List policies."`
	Get    policiesGet    `cmd:"" help:"Print a policy as a file that put takes."`
	Put    policiesPut    `cmd:"" help:"Put a policy, or its next version, from a file."`
	Try    policiesTry    `cmd:"" help:"Tell what a policy in a file would change, on logged requests."`
	Delete policiesDelete `cmd:"" help:"Delete a policy that nothing names."`
}

// withPolicies connects to the service's policies.
func withPolicies(ctx context.Context, f *clientFlags, fn func(context.Context, kindredv1.PolicyServiceClient) error) error {
	return f.with(ctx, "policies", func(ctx context.Context, conn *grpc.ClientConn) error {
		return fn(ctx, kindredv1.NewPolicyServiceClient(conn))
	})
}

type policiesList struct{ clientFlags }

// Help is what `policies list --help` says beyond its flags.
func (policiesList) Help() string {
	return `Example:
  kindred policies list --addr 127.0.0.1:50051 --key-file merchant.key`
}

// Run lists policies.
func (c *policiesList) Run(ctx context.Context) error {
	return withPolicies(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.PolicyServiceClient) error {
		reply, err := client.ListPolicies(ctx, &kindredv1.ListPoliciesRequest{})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printPolicies(os.Stdout, reply.Policies) })
	})
}

func printPolicies(w io.Writer, list []*kindredv1.Policy) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "POLICY\tVERSION\tPUT\tRULES\tCAPS\tTEMPERATURE\tNOTE")
	for _, p := range list {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%g\t%s\n", p.Name, p.Version, moment(p.CreateTime), len(p.Rules), len(p.Caps),
			p.Exploration.GetTemperature(), p.Note)
	}
	return t.Flush()
}

type policiesGet struct {
	clientFlags
	Name string `arg:"" help:"The policy's name, or name/version."`
}

// Help is what `policies get --help` says beyond its flags.
func (policiesGet) Help() string {
	return `Examples:
  kindred policies get home --addr 127.0.0.1:50051 > home.json
  kindred policies get home/3 --addr 127.0.0.1:50051`
}

// Run prints a policy.
func (c *policiesGet) Run(ctx context.Context) error {
	return withPolicies(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.PolicyServiceClient) error {
		reply, err := client.GetPolicy(ctx, &kindredv1.GetPolicyRequest{Name: c.Name})
		if err != nil {
			return err
		}
		return c.print(reply, func() error { return printFile(os.Stdout, reply.Policy) })
	})
}

type policiesPut struct {
	clientFlags
	File   string `arg:"" help:"A file of JSON as policies get prints it; - for standard input."`
	Expect *int32 `placeholder:"VERSION" help:"Refuse if another version is the last by now; 0: if there is one. Not set: the version in the file, where it has one."`
	Any    bool   `help:"Put whatever version is the last by now."`
	DryRun bool   `help:"Check, and keep nothing."`
}

// Help is what `policies put --help` says beyond its flags.
func (policiesPut) Help() string {
	return `A file such as

  {"name": "home", "exploration": {"temperature": 0.1}, "rules": [
    {"name": "spring", "condition": "\"Garden\" in categories", "boost": {"factor": 2}},
    {"name": "hero", "item_id": "p-17", "pin": {"slot": 1}, "surfaces": ["home"]}]}

Examples:
  kindred policies put home.json --addr 127.0.0.1:50051 --key-file merchant.key
  kindred policies put home.json --dry-run --addr 127.0.0.1:50051`
}

// Run puts a policy.
func (c *policiesPut) Run(ctx context.Context) error {
	p := &kindredv1.Policy{}
	if err := readMessage(c.File, p); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	if c.Any && c.Expect != nil {
		return errors.New("policies: --any and --expect contradict each other: give one of them")
	}
	ask := &kindredv1.PutPolicyRequest{Policy: p, ExpectedVersion: c.Expect, DryRun: c.DryRun}
	if c.Expect == nil && !c.Any && p.Version > 0 {
		ask.ExpectedVersion = &p.Version
	}
	return withPolicies(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.PolicyServiceClient) error {
		reply, err := client.PutPolicy(ctx, ask)
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			for _, w := range reply.Warnings {
				fmt.Fprintln(os.Stderr, "warning:", w)
			}
			if c.DryRun {
				fmt.Printf("%s/%d would be put\n", reply.Policy.Name, reply.Policy.Version)
				return nil
			}
			fmt.Printf("%s/%d is put; it serves where a surface or an experiment names it\n", reply.Policy.Name, reply.Policy.Version)
			return nil
		})
	})
}

type policiesDelete struct {
	clientFlags
	Name string `arg:"" help:"The policy's name."`
}

// Help is what `policies delete --help` says beyond its flags.
func (policiesDelete) Help() string {
	return `Example:
  kindred policies delete home --addr 127.0.0.1:50051 --key-file merchant.key`
}

// Run deletes a policy.
func (c *policiesDelete) Run(ctx context.Context) error {
	return withPolicies(ctx, &c.clientFlags, func(ctx context.Context, client kindredv1.PolicyServiceClient) error {
		reply, err := client.DeletePolicy(ctx, &kindredv1.DeletePolicyRequest{Name: c.Name})
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			fmt.Printf("%s is deleted\n", c.Name)
			return nil
		})
	})
}
