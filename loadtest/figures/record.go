package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio"
)

// record is what is kept of one figure.
type record struct {
	Name    string           `json:"name"`
	Goes    string           `json:"goes"` // where it is quoted
	Command string           `json:"command"`
	Started time.Time        `json:"started"`
	Seconds float64          `json:"seconds"` // of the command, building included
	System  string           `json:"system"`
	Cores   int              `json:"cores"`
	Found   []map[string]any `json:"found"` // in order of output
}

type runCommand struct {
	Name    string   `required:"" placeholder:"NAME" help:"Of the file: a-z, 0-9 and '-'."`
	Goes    string   `placeholder:"TEXT" help:"Where the figure is quoted."`
	Dir     string   `default:"figures" placeholder:"DIR" help:"Folder of the files."`
	Needs   []string `placeholder:"PATH" help:"Files and folders without which the command cannot run."`
	Command []string `arg:"" passthrough:"" help:"The command, after --."`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Run runs the command and keeps what it printed.
func (c *runCommand) Run(ctx context.Context) error {
	if !nameForm.MatchString(c.Name) {
		return fmt.Errorf("name %q: it must be 1 to 63 of a-z, 0-9 and '-'", c.Name)
	}
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return errors.New("no command is given; put it after --")
	}
	for _, path := range c.Needs {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s needs %s, which is not there: put the data beside the repository, or give make DATA=DIR or MODELS=DIR", c.Name, path)
		}
	}
	r := record{Name: c.Name, Goes: c.Goes, Command: strings.Join(command, " "), Started: time.Now().UTC().Truncate(time.Second),
		System: runtime.GOOS + "/" + runtime.GOARCH + " " + processor(), Cores: runtime.NumCPU()}
	fmt.Fprintf(os.Stderr, "%s: %s\n", r.Name, r.Command)
	var out bytes.Buffer
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Stdout, process.Stderr = &out, os.Stderr
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) } // `go run` then waits for what it started
	process.WaitDelay = 30 * time.Second
	start := time.Now()
	if err := process.Run(); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	r.Seconds = time.Since(start).Seconds()
	if r.Found = measured(&out); len(r.Found) == 0 {
		return fmt.Errorf("%s printed neither a JSON object nor a benchmark", r.Name)
	}
	return c.keep(r)
}

func (c *runCommand) keep(r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(c.Dir, 0o755)
	}
	path := filepath.Join(c.Dir, c.Name+".json")
	if err == nil {
		err = renameio.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err == nil {
		fmt.Fprintf(os.Stderr, "%s: %.0f s, kept in %s\n", r.Name, r.Seconds, path)
	}
	return err
}

// maxLine bounds a line of output.
const maxLine = 16 << 20

// measured are the JSON objects and benchmarks among the lines of an output.
func measured(out *bytes.Buffer) (found []map[string]any) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var object map[string]any
		if json.Unmarshal(lines.Bytes(), &object) == nil {
			found = append(found, object)
		} else if object = benchmark(lines.Text()); object != nil {
			found = append(found, object)
		}
	}
	return found
}

// benchmark reads a line of `go test -bench`: a name, how often, then values with units. nil:
// it is none.
func benchmark(line string) map[string]any {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return nil
	}
	object := map[string]any{"benchmark": fields[0]}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil
		}
		object[fields[i+1]] = value
	}
	return object
}

// processor is its name where the system says it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimLeft(line, " \t:")
}
