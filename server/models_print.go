package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// short is the part of a hash that people read and commands take.
func short(hash string) string {
	if hash == "" {
		return "none"
	}
	return hash[:min(12, len(hash))]
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f kiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().Format("2006-01-02 15:04")
}

func state(m *kindredv1.Model) string {
	return strings.ToLower(strings.TrimPrefix(m.State.String(), "MODEL_STATE_"))
}

// printModels prints a list, and what to do next. served: a service answered.
func printModels(w io.Writer, reply *kindredv1.ListModelsResponse, served bool) error {
	if len(reply.Models) == 0 {
		fmt.Fprintln(w, "no models yet; send one with: kindred models upload FOLDER")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tSTATE\tCREATED\tPARENT\tEVENTS\tSIZE\tMETRIC")
	for _, m := range reply.Models {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", short(m.Hash), state(m), moment(m.CreateTime), short(m.Parent),
			m.TrainingData.GetEvents(), size(m.SizeBytes), firstMetric(m))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range reply.Models {
		if m.Fault != "" {
			fmt.Fprintf(w, "\n%s: %s\n", short(m.Hash), m.Fault)
		}
	}
	switch {
	case !served && reply.PromotedHash != "":
		fmt.Fprintf(w, "\n%s is promoted: it serves when the service is started\n", short(reply.PromotedHash))
	case !served:
		fmt.Fprintln(w, "\nno model is promoted; start the service, and compare one with what serves: kindred models evaluate MODEL")
	case reply.Fault != "":
		fmt.Fprintf(w, "\nthe promoted model %s does not serve, %s does: %s\nsend it again, promote another, or go back: kindred models rollback\n",
			short(reply.PromotedHash), short(reply.ServingHash), reply.Fault)
	case reply.PromotedHash != reply.ServingHash:
		fmt.Fprintf(w, "\n%s is promoted and being built; %s serves meanwhile\n", short(reply.PromotedHash), short(reply.ServingHash))
	case reply.ServingHash == "":
		fmt.Fprintln(w, "\nno model serves; compare one with what does: kindred models evaluate MODEL")
	}
	return nil
}

func firstMetric(m *kindredv1.Model) string {
	if len(m.Metrics) == 0 {
		return "-"
	}
	x := m.Metrics[0]
	return fmt.Sprintf("%s %.4g (%s)", x.Name, x.Value, x.Part)
}

func printModel(w io.Writer, m *kindredv1.Model) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("hash", "%s", m.Hash)
	row("state", "%s", state(m))
	if m.Fault != "" {
		row("fault", "%s", m.Fault)
	}
	row("created", "%s", moment(m.CreateTime))
	row("parent", "%s", short(m.Parent))
	row("text encoder", "%s, %d dimensions", m.TextEncoder, m.TextDimension)
	row("user vectors", "%d dimensions", m.BehaviourDimension)
	d := m.TrainingData
	row("trained on", "%d events of %d users on %d items, %d set aside", d.GetEvents(), d.GetUsers(), d.GetItems(), d.GetEventsSetAside())
	row("events", "%s to %s, log head %d", moment(d.GetFirstEventTime()), moment(d.GetLastEventTime()), d.GetLogHead())
	c := m.TrainingCode
	row("code", "%s %s %s %s", c.GetModule(), c.GetVersion(), c.GetRevision(), c.GetGoVersion())
	for _, p := range m.Parameters {
		row("parameter", "%s = %s", p.Name, p.Value)
	}
	for _, x := range m.Metrics {
		row("metric", "%s %.5g on %s, seed %d", x.Name, x.Value, x.Part, x.Seed)
	}
	for _, f := range m.Files {
		row("file", "%s, %s", f.Name, size(f.SizeBytes))
	}
	return t.Flush()
}

func printComparison(w io.Writer, c *kindredv1.ModelComparison) error {
	if c.Cases == 0 {
		fmt.Fprintln(w, "nobody to compare on: no one has acted on two items yet")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\t%s\t%s (serves)\n", short(c.CandidateHash), short(c.ServingHash))
	row := func(name, format string, of func(*kindredv1.ModelFigures) float64) {
		fmt.Fprintf(t, "%s\t"+format+"\t"+format+"\n", name, of(c.Candidate), of(c.Serving))
	}
	row("hit rate @10", "%.4f", (*kindredv1.ModelFigures).GetHitRateAt_10)
	row("NDCG @10", "%.4f", (*kindredv1.ModelFigures).GetNdcgAt_10)
	row("coverage", "%.4f", (*kindredv1.ModelFigures).GetCoverage)
	row("p50, µs", "%.0f", (*kindredv1.ModelFigures).GetLatencyP50Us)
	row("p99, µs", "%.0f", (*kindredv1.ModelFigures).GetLatencyP99Us)
	row("index recall", "%.4f", (*kindredv1.ModelFigures).GetIndexRecall)
	if err := t.Flush(); err != nil {
		return err
	}
	seen := "some of it may have been trained on"
	if c.Unseen {
		seen = "all of it later than the training"
	}
	fmt.Fprintf(w, "overlap @10 %.3f; %d persons, %s\n", c.OverlapAt_10, c.Cases, seen)
	return nil
}

func printPromoted(w io.Writer, p *kindredv1.ModelPromotion, serving bool, generation, addr string) error {
	what := "model " + short(p.ModelHash)
	if p.ModelHash == "" {
		what = "no model"
	}
	if !serving {
		_, err := fmt.Fprintf(w, "%s is promoted and being built; see: kindred models list --addr %s\n", what, addr)
		return err
	}
	if p.ModelHash == "" {
		_, err := fmt.Fprintf(w, "no model serves now, as before the promotion (generation %s)\n", generation)
		return err
	}
	_, err := fmt.Fprintf(w, "%s serves (generation %s)\ngo back to %s with: kindred models rollback --addr %s\n", what, generation, short(p.PreviousHash), addr)
	return err
}
