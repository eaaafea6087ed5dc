package main

import (
	"fmt"
	"os"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// compareCommand is `loadtest compare`.
type compareCommand struct {
	A string `arg:"" type:"existingfile" help:"Results to compare with, as load --repeat N --json writes them."`
	B string `arg:"" type:"existingfile" help:"Results that are compared."`

	MaxWorse float64 `default:"-1" placeholder:"PERCENT" help:"Fail if a figure of B is surely worse by more than this, 0 and up, or its share of failed calls by more than so many points."`
	JSON     bool    `name:"json" help:"Print the comparison as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (compareCommand) Help() string {
	return `A verdict knows the noise: it comes from how much the repetitions of each side differ (Welch's t intervals, all at once at 95%
confidence). What is the same in all repetitions of a side, such as another machine, is no noise and is not seen as such.

Examples:
  go run ./loadtest load --rate 500 --repeat 5 --json > before.json
  go run ./loadtest load --rate 500 --repeat 5 --json > after.json
  go run ./loadtest compare before.json after.json
  go run ./loadtest compare before.json after.json --max-worse 5   # exit code 1 if it is surely more than 5% worse
`
}

// Run compares.
func (c *compareCommand) Run(to output) error {
	a, err := readResults(c.A)
	if err != nil {
		return err
	}
	b, err := readResults(c.B)
	if err != nil {
		return err
	}
	comparison, err := load.Compare(a, b)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(to.out, comparison)
	} else {
		err = comparison.WriteTable(to.out)
	}
	if err != nil {
		return err
	}
	return c.judge(comparison)
}

func (c *compareCommand) judge(comparison *load.Comparison) error {
	if c.MaxWorse < 0 {
		return nil
	}
	for _, d := range comparison.Differences {
		if d.Verdict == load.Unknown {
			return fmt.Errorf("compare: --max-worse %g cannot be judged for %s: %s", c.MaxWorse, d.Name, d.Text)
		}
	}
	if by, name := comparison.WorstBy(); by > c.MaxWorse {
		return fmt.Errorf("compare: %s of %s is worse by at least %.2g, more than --max-worse %g allows", name, c.B, by, c.MaxWorse)
	}
	return nil
}

func readResults(path string) (results []*load.Result, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if results, err = load.ReadResults(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return results, nil
}
