package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type reproduceCommand struct {
	clientFlags
	ID string `arg:"" help:"Recommendation id of a reply; of a further row, ID.1, ID.2 and so on."`
}

// Help is what `reproduce --help` says beyond its flags.
func (reproduceCommand) Help() string {
	return `Makes the list of a logged decision again, or says which of its inputs is gone.

Example:
  kindred reproduce 0O6KR3QK5D4G1HGQ7R2G --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run reproduces a decision.
func (c *reproduceCommand) Run(ctx context.Context) error {
	return c.with(ctx, "reproduce", func(ctx context.Context, conn *grpc.ClientConn) error {
		reply, err := kindredv1.NewRecommendationServiceClient(conn).Reproduce(ctx, &kindredv1.ReproduceRequest{RecommendationId: c.ID})
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			fmt.Println(reply.Text)
			t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			for _, in := range reply.Inputs {
				fmt.Fprintf(t, "  %s\t%s\t%s\n", in.Name, strings.ToLower(strings.TrimPrefix(in.State.String(), "INPUT_STATE_")), in.Text)
			}
			fmt.Fprintf(t, "  probability of the list\t%.4g\n", reply.ListPropensity)
			return t.Flush()
		})
	})
}
