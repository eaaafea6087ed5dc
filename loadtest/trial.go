package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A trial is what the commands have in common that start servers of their own and judge what became of them.
type trial struct {
	Server string `type:"path" placeholder:"FILE" help:"The server's program. By default it is built from ./server."`
	Report string `placeholder:"FILE" help:"Draw the result into a file: HTML, or Markdown if its name ends in .md."`
	JSON   bool   `name:"json" help:"Print the result as one line of JSON."`
}

// run has measure make a figure with the server's program, and shows it. Without a figure there is nothing to show: it is nil
// then, and err says why. The verdict comes last.
func (t *trial) run(ctx context.Context, to output, measure func(server string, bars *progress) (f figure, verdict, err error)) error {
	if err := checkReport(t.Report); err != nil {
		return err
	}
	server, remove, err := serverProgram(ctx, t.Server)
	if err != nil {
		return err
	}
	defer remove()
	bars := newProgress(to.log)
	defer bars.finish()
	f, verdict, err := measure(server, bars)
	bars.finish()
	if f == nil {
		return err
	}
	return errors.Join(err, to.show(f, t.JSON, t.Report), verdict)
}

// serverProgram is the program that is named, or one that is built from the module's ./server.
func serverProgram(ctx context.Context, named string) (path string, remove func(), err error) {
	if named != "" {
		return named, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "kindred-server-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // temporary
	path = filepath.Join(dir, "kindred")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/kindred-rec/kindred/server").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the server, or name one with --server: %w: %s", err, out)
	}
	return path, remove, nil
}
