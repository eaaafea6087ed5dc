package main

import (
	"context"
	"os"
	"time"

	"github.com/kindred-rec/kindred/loadtest/plan"
)

// planCommand is `loadtest plan`.
type planCommand struct {
	Items float64 `required:"" placeholder:"N" help:"Items of the catalog, as 100e6."`
	Users float64 `required:"" placeholder:"N" help:"Users of whom events are kept, as 1e9."`
	RPS   float64 `required:"" name:"rps" placeholder:"N" help:"Recommend calls a second at the peak, as 200e3."`

	Costs        string        `placeholder:"FILE" help:"Take the costs from this file if it is there, else measure them and keep them in it."`
	Measure      bool          `help:"Measure also if the file of --costs is there, and replace it."`
	SampleItems  int           `default:"4000" help:"Items to measure with, twice: 100 to 1,000,000 (${default})."`
	SampleUsers  int           `default:"500" help:"Users to measure with, twice: 10 to 1,000,000 (${default})."`
	SampleEvents int           `default:"20" help:"Events of each of them, 1 to 200 (${default})."`
	SampleSpan   time.Duration `default:"1s" help:"How long each kind of call is timed (${default})."`
	SampleDir    string        `placeholder:"DIR" help:"Where to measure: a folder on the disk that counts. By default the system's temporary one."`
	assumedFlags `embed:"" group:"Assumptions"`

	Report string `placeholder:"FILE" help:"Draw the plan into a file: HTML, or Markdown if its name ends in .md."`
	JSON   bool   `name:"json" help:"Print the plan as one line of JSON."`
}

// assumedFlags change what a plan assumes. An assumption that is not given keeps its default.
type assumedFlags struct {
	EventsPerUser    *float64 `placeholder:"N" help:"Events kept of a user, on average."`
	ActiveShare      *float64 `placeholder:"P" help:"Share of users whose profile is in memory at the peak."`
	EventsPerRequest *float64 `placeholder:"N" help:"Events written for each Recommend."`
	DecisionDays     *float64 `placeholder:"N" help:"Days that decisions are kept."`
	PeakFactor       *float64 `placeholder:"X" help:"Peak rate over the mean rate."`
	Generations      *float64 `placeholder:"X" help:"Sets of items in memory at once, 1 to 2."`
	HeapFactor       *float64 `placeholder:"X" help:"Resident memory over live memory."`
	RequestGrowth    *float64 `placeholder:"X" help:"Cost of a request at the planned items over that at the measured ones."`
	ClientShare      *float64 `placeholder:"P" help:"Part of an empty call's time that is the client's."`
	Utilization      *float64 `placeholder:"P" help:"How busy cores may be at the peak."`
	DiskHeadroom     *float64 `placeholder:"X" help:"Disk over what is live."`
	MinReplicas      *float64 `placeholder:"N" help:"Replicas at least."`
	Cores            *float64 `placeholder:"N" help:"Cores of a machine."`
	MemoryGB         *float64 `name:"memory-gb" placeholder:"N" help:"Memory of a machine, in 1e9 bytes."`
	DiskGB           *float64 `name:"disk-gb" placeholder:"N" help:"Disk of a machine, in 1e9 bytes."`
}

func (f assumedFlags) assumptions() plan.Assumptions {
	a := plan.DefaultAssumptions()
	for _, set := range []struct{ to, from *float64 }{
		{&a.EventsPerUser, f.EventsPerUser}, {&a.ActiveShare, f.ActiveShare}, {&a.EventsPerRequest, f.EventsPerRequest},
		{&a.DecisionDays, f.DecisionDays}, {&a.PeakFactor, f.PeakFactor}, {&a.Generations, f.Generations}, {&a.HeapFactor, f.HeapFactor},
		{&a.RequestGrowth, f.RequestGrowth}, {&a.ClientShare, f.ClientShare}, {&a.Utilization, f.Utilization},
		{&a.DiskHeadroom, f.DiskHeadroom}, {&a.MinReplicas, f.MinReplicas}, {&a.Cores, f.Cores}, {&a.MemoryGB, f.MemoryGB}, {&a.DiskGB, f.DiskGB},
	} {
		if set.from != nil {
			*set.to = *set.from
		}
	}
	return a
}

// Help is what --help says beyond the flags.
func (planCommand) Help() string {
	return `Costs are measured on this machine, on real structures, in some seconds; what is not measured is an assumption with a flag, and
stands in the plan with its value.

Examples:
  go run ./loadtest plan --items 1e6 --users 1e7 --rps 5000
  go run ./loadtest plan --items 100e6 --users 1e9 --rps 200e3 --costs costs.json --memory-gb 2000 --cores 128 --json
`
}

// Run plans.
func (c *planCommand) Run(ctx context.Context, to output) error {
	if err := checkReport(c.Report); err != nil {
		return err
	}
	costs, err := c.costs(ctx, to)
	if err != nil {
		return err
	}
	result, err := plan.Compute(plan.Need{Items: c.Items, Users: c.Users, RPS: c.RPS}, c.assumptions(), costs)
	if err != nil {
		return err
	}
	return to.show(result, c.JSON, c.Report)
}

// costs are read or measured, and then kept if a file is named.
func (c *planCommand) costs(ctx context.Context, to output) (plan.Costs, error) {
	if c.Costs != "" && !c.Measure {
		if _, err := os.Stat(c.Costs); err == nil {
			return plan.Read(c.Costs)
		}
	}
	bars := newProgress(to.log)
	defer bars.finish()
	costs, err := plan.Measure(ctx, plan.Measurement{Items: c.SampleItems, Users: c.SampleUsers, EventsPerUser: c.SampleEvents,
		Span: c.SampleSpan, Dir: c.SampleDir, Progress: func(what string, share float64) { bars.show("measure "+what, share) }})
	if err != nil || c.Costs == "" {
		return costs, err
	}
	return costs, costs.Write(c.Costs)
}
