package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/config"
)

type configCommand struct {
	Print   configPrint   `cmd:"" help:"Show the settings that serve would run with, and where each comes from."`
	Example configExample `cmd:"" help:"Print a file of all settings with what each does and its default."`
	Reload  configReload  `cmd:"" help:"Have a running service read its settings again."`
}

type configPrint struct {
	JSON  bool         `name:"json" config:"-" help:"One JSON array of name, value, source and place."`
	Serve serveCommand `embed:""`
}

// Help is what `config print --help` says beyond its flags.
func (configPrint) Help() string {
	return `Examples:
  kindred config print --config kindred.yaml
  KINDRED_RANKING_AGE=1s kindred config print --json --config kindred.yaml

It takes the flags of serve, starts nothing, and fails where serve would refuse its settings. Secrets
are stars. What it prints can be a file of settings.`
}

// Run prints.
func (c *configPrint) Run() error {
	if !c.JSON {
		return c.Serve.settings.Print(os.Stdout)
	}
	return json.NewEncoder(os.Stdout).Encode(c.Serve.settings.Entries())
}

type configExample struct{}

// Help is what `config example --help` says beyond its flags.
func (configExample) Help() string {
	return `Examples:
  kindred config example > kindred.yaml`
}

// Run prints.
func (configExample) Run() error {
	flags, err := serveFlags()
	if err != nil {
		return err
	}
	if err := config.Example(os.Stdout, flags); err != nil {
		return err
	}
	return fixedLimits(os.Stdout)
}

// fixedLimits writes, as comments, the bounds that no setting changes.
func fixedLimits(w io.Writer) error {
	_, err := fmt.Fprint(w, "\n# ---- Limits of the wire contract, which no setting changes ----\n#\n")
	for _, l := range api.FixedLimits() {
		_, e := fmt.Fprintf(w, "# %s: %s\n", l.What, l.Bound)
		err = errors.Join(err, e)
	}
	return err
}

// serveFlags are those of serve.
func serveFlags() ([]*kong.Flag, error) {
	parser, err := kong.New(&serveCommand{}, kong.NoDefaultHelp())
	if err != nil {
		return nil, err
	}
	return parser.Model.Flags, nil
}
