package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/ope"
	"github.com/kindred-rec/kindred/loadtest/ope/decisions"
	"github.com/kindred-rec/kindred/loadtest/ope/openbandit"
	"github.com/kindred-rec/kindred/loadtest/ope/selfcheck"
)

// opeCommand is `loadtest ope`.
type opeCommand struct {
	Format   string `enum:"open-bandit,kindred,none" default:"none" help:"What the log is: open-bandit (a folder) or kindred (two exports)."`
	Data     string `placeholder:"DIR" help:"Folder of the Open Bandit Dataset."`
	Campaign string `placeholder:"NAME" help:"Campaign to judge: all, men or women. Each that is there if not given."`

	Decisions  string        `placeholder:"FILE" help:"Decisions as ExportDecisions gives them, in JSON."`
	Events     string        `placeholder:"FILE" help:"Events as ExportEvents gives them, in JSON."`
	Target     []string      `placeholder:"POLICY" help:"Policies to judge (kindred): uniform, temperature=T, or file=FILE with recommendation_id, slot and probability."`
	Reward     []string      `default:"click" placeholder:"TYPE" help:"Types of events that are worth 1, such as click or purchase (${default})."`
	Window     time.Duration `default:"24h" help:"How long after a decision its events count (${default})."`
	ByUser     bool          `help:"Decisions of one user need not be independent: intervals are by user."`
	KeepForced bool          `help:"Slots that were logged with propensity 1, such as pins, stay as they are."`
	Estimate   bool          `name:"estimate-candidates" help:"Where not every candidate is logged, let the sample of losers stand for all. The result is approximate."`
	MaxRows    int           `default:"2000000" help:"Longest log to hold in memory, in rows, losers included (${default})."`

	Lists     string  `enum:"cascade,independent" default:"cascade" help:"How slots hang together: cascade (a reward may depend on the slots above) or independent (on the item and its slot alone)."`
	Clip      float64 `placeholder:"WEIGHT" help:"Bound the weights. Narrower, and leaning towards what the log did."`
	Model     string  `enum:"means,ridge" default:"means" help:"What foretells rewards: means of item and slot, or those and a ridge regression on features."`
	Shrinkage float64 `default:"20" help:"Rows that the means start from (${default})."`
	Penalty   float64 `default:"10" help:"Penalty of the ridge regression (${default})."`
	Folds     int     `default:"5" help:"Parts that the model is fitted and judged in, 2 to 100 (${default})."`

	Interval   string  `enum:"studentized,normal,bernstein" default:"studentized" help:"How intervals are made: studentized (bootstrap-t), normal, or bernstein (safe and wide; needs --clip)."`
	Confidence float64 `default:"0.95" help:"Confidence of the intervals (${default})."`
	Resamples  int     `default:"1000" help:"Resamples of the studentized interval, 200 to 100,000 (${default})."`
	Seed       uint64  `default:"1" help:"Decides folds and resamples."`

	MinEffective  float64 `default:"100" help:"Refuse a target to which the log is worth fewer decisions (${default})."`
	MinRewards    float64 `default:"30" help:"With effectively fewer rewards at work, ips has a wider interval and the others none (${default})."`
	MaxUnexplored float64 `default:"0.05" help:"Refuse a target of whose choices the log left a larger share untried (${default})."`

	SelfCheck bool `help:"Judge simulated logs whose truth is known: bias, width and coverage of each estimator."`
	Runs      int  `default:"1000" help:"Logs of each simulated world (${default})."`

	Report string `placeholder:"FILE.html" help:"Draw the result into a file."`
	JSON   bool   `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (opeCommand) Help() string {
	return `Judges policies by what another policy did: estimates what they would have earned from logged propensities (IPS, SNIPS and
doubly robust), with intervals, and refuses where the log tells too little.

The Open Bandit Dataset is judged both ways: the uniform policy by the Thompson log, and the Thompson policy, as it was on
average, by the uniform log; the truth is the click rate of the other log.

Examples:
  go run ./loadtest ope --format open-bandit --data ../shared/data/open-bandit --clip 100 --report ope.html
  grpcurl -plaintext 127.0.0.1:50051 kindred.v1.AdminService/ExportDecisions > decisions.json
  grpcurl -plaintext 127.0.0.1:50051 kindred.v1.AdminService/ExportEvents > events.json
  go run ./loadtest ope --format kindred --decisions decisions.json --events events.json --target uniform,temperature=0.5 --json
  go run ./loadtest ope --self-check --runs 1000
`
}

// Run judges.
func (c *opeCommand) Run(ctx context.Context, to output) error {
	if c.SelfCheck {
		return c.selfCheck(ctx, to)
	}
	bars := newProgress(to.log)
	defer bars.finish()
	o := c.options()
	o.Progress = func(share float64) { bars.show("resamples", share) }
	var results []*ope.Result
	var err error
	switch c.Format {
	case "open-bandit":
		results, err = c.openBandit(ctx, o)
	case "kindred":
		results, err = c.kindred(ctx, o)
	default:
		return errors.New("no log: give --format open-bandit with --data, or --format kindred with --decisions and --events")
	}
	bars.finish()
	if err != nil {
		return err
	}
	if err := c.write(to, results); err != nil {
		return err
	}
	return refusals(results)
}

func (c *opeCommand) options() ope.Options {
	o := ope.Options{Lists: ope.Lists(c.Lists), Clip: c.Clip, Model: ope.Means{Strength: c.Shrinkage}, Folds: c.Folds,
		Interval: ope.Method(c.Interval), Confidence: c.Confidence, Resamples: c.Resamples, Seed: c.Seed,
		MinEffective: c.MinEffective, MinRewards: c.MinRewards, MaxUnexplored: c.MaxUnexplored}
	if c.Model == "ridge" {
		o.Model = ope.Ridge{Means: ope.Means{Strength: c.Shrinkage}, Penalty: c.Penalty}
	}
	return o
}

// judge evaluates. A refusal is a result, too.
func judge(ctx context.Context, name, by string, log *ope.Log, target ope.Target, o ope.Options) (*ope.Result, error) {
	result, err := ope.Evaluate(ctx, log, target, o)
	if err != nil && !errors.Is(err, ope.ErrRefused) {
		return nil, fmt.Errorf("%s, judged by %s: %w", name, by, err)
	}
	result.Target, result.Log = name, by
	return result, nil
}

// refusals is an error if a target was refused.
func refusals(results []*ope.Result) error {
	var refused []string
	for _, r := range results {
		if r.Refused != "" {
			refused = append(refused, fmt.Sprintf("%s: %s", r.Target, r.Refused))
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d targets refused: %s (--min-effective, --max-unexplored and --clip change that)", len(refused), len(results), strings.Join(refused, "; "))
}

func (c *opeCommand) write(to output, results []*ope.Result) error {
	if c.Report != "" {
		if err := ope.Page("Off-policy evaluation", results).WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(to.out, map[string]any{"results": results})
	}
	for _, r := range results {
		if err := r.WriteTable(to.out); err != nil {
			return err
		}
	}
	return nil
}

// openBandit judges each policy by the other's log.
func (c *opeCommand) openBandit(ctx context.Context, o ope.Options) ([]*ope.Result, error) {
	if c.Data == "" {
		return nil, errors.New("no data: give --data, as --data ../shared/data/open-bandit")
	}
	folder, err := openbandit.Open(c.Data)
	if err != nil {
		return nil, err
	}
	campaigns := folder.Campaigns
	if c.Campaign != "" {
		if !slices.Contains(campaigns, c.Campaign) {
			return nil, fmt.Errorf("no campaign %q in %s; there is %s", c.Campaign, c.Data, strings.Join(campaigns, ", "))
		}
		campaigns = []string{c.Campaign}
	}
	var results []*ope.Result
	for _, campaign := range campaigns {
		both, err := c.bothWays(ctx, folder, campaign, o)
		if err != nil {
			return nil, err
		}
		results = append(results, both...)
	}
	return results, nil
}

func (c *opeCommand) bothWays(ctx context.Context, folder *openbandit.Folder, campaign string, o ope.Options) ([]*ope.Result, error) {
	read := openbandit.DefaultOptions()
	read.MaxRows = c.MaxRows
	random, err := folder.Read(openbandit.Random, campaign, read)
	if err != nil {
		return nil, err
	}
	thompson, err := folder.Read(openbandit.Thompson, campaign, read)
	if err != nil {
		return nil, err
	}
	average, err := openbandit.Average(random, thompson)
	if err != nil {
		return nil, err
	}
	uniform, err := judgeKnown(ctx, campaign+": uniform", "the Thompson log", thompson, openbandit.Uniform(thompson), random, o)
	if err != nil {
		return nil, err
	}
	sampling, err := judgeKnown(ctx, campaign+": Thompson, on average", "the uniform log", random, average, thompson, o)
	if err != nil {
		return nil, err
	}
	sampling.Notes = append(sampling.Notes, "approximate: the target's distribution is known on average by item and position alone, counted in its own log; that is not in the intervals")
	return []*ope.Result{uniform, sampling}, nil
}

// judgeKnown judges a target whose own log is there.
func judgeKnown(ctx context.Context, name, by string, log *openbandit.Log, target ope.Target, own *openbandit.Log, o ope.Options) (*ope.Result, error) {
	result, err := judge(ctx, name, by, &log.Log, target, o)
	if err != nil {
		return nil, err
	}
	truth, err := ope.LoggedValue(ctx, &own.Log, o)
	if err != nil {
		return nil, err
	}
	result.Truth = &truth
	return result, nil
}

// kindred judges each target by Kindred's own log.
func (c *opeCommand) kindred(ctx context.Context, o ope.Options) ([]*ope.Result, error) {
	switch {
	case c.Decisions == "" || c.Events == "":
		return nil, errors.New("no log: give both --decisions and --events, as AdminService exports them")
	case len(c.Target) == 0:
		return nil, errors.New("nothing to judge: give --target, as --target uniform")
	}
	log, err := decisions.Read(decisions.Options{Decisions: c.Decisions, Events: c.Events, Reward: c.Reward, Window: c.Window, ByUser: c.ByUser, MaxRows: c.MaxRows})
	if err != nil {
		return nil, err
	}
	var results []*ope.Result
	for _, name := range c.Target {
		read := len(log.Notes)
		target, err := c.target(log, name)
		if err != nil {
			return nil, err
		}
		result, err := judge(ctx, name, c.Decisions, &log.Log, target, o)
		if err != nil {
			return nil, err
		}
		result.Notes = append(result.Notes, log.Notes...)
		log.Notes = log.Notes[:read:read] // what is of this target alone
		results = append(results, result)
	}
	return results, nil
}

// target makes the policy that a name stands for.
func (c *opeCommand) target(log *decisions.Log, name string) (ope.Target, error) {
	kind, value, _ := strings.Cut(name, "=")
	options := decisions.TargetOptions{KeepForced: c.KeepForced, Estimate: c.Estimate}
	switch {
	case name == "uniform":
		return log.Uniform(options), nil
	case kind == "file" && value != "":
		return log.FromFile(value)
	case kind == "temperature":
		t, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("--target %s: the temperature must be a number", name)
		}
		target, err := log.Temperature(t, options)
		if errors.Is(err, decisions.ErrSampled) {
			err = fmt.Errorf("%w (--estimate-candidates)", err)
		}
		return target, err
	}
	return nil, fmt.Errorf("--target %s: must be uniform, temperature=T or file=FILE", name)
}

// selfCheck judges simulated logs.
func (c *opeCommand) selfCheck(ctx context.Context, to output) error {
	bars := newProgress(to.log)
	defer bars.finish()
	var all []selfcheck.Figures
	for _, w := range selfcheck.Worlds() {
		figures, err := selfcheck.Run(ctx, w, selfcheck.Options{Runs: c.Runs, Judge: c.options(), Progress: func(share float64) { bars.show(w.Name, share) }})
		if err != nil {
			return err
		}
		all = append(all, figures...)
	}
	bars.finish()
	if c.JSON {
		return writeJSON(to.out, map[string]any{"runs": c.Runs, "figures": all})
	}
	return cmp.Or(selfcheck.WriteWorlds(to.out), selfcheck.WriteTable(to.out, all))
}
