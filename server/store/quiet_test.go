package store

import (
	"io"
	"log/slog"
)

// quiet drops the log of a test that provokes errors.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
