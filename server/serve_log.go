package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/telemetry"
)

// logFlags say what is logged and how.
type logFlags struct {
	LogLevel  string `default:"info" enum:"debug,info,warn,error" reload:"" help:"The least that is logged: ${enum}."`
	LogFormat string `default:"text" enum:"text,json" help:"Lines of the log: ${enum}."`
	Quiet     bool   `reload:"" help:"Log warnings and errors alone."`
}

// level is the least that is logged.
func (l *logFlags) level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.LogLevel)); err != nil {
		level = slog.LevelInfo // the flag takes no other word
	}
	if l.Quiet {
		level = max(level, slog.LevelWarn)
	}
	return level
}

// logger writes to standard error. Its level follows a variable.
func (l *logFlags) logger(level *slog.LevelVar) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(telemetry.LogHandler{Handler: slog.NewJSONHandler(os.Stderr, options)})
	}
	return slog.New(telemetry.LogHandler{Handler: slog.NewTextHandler(os.Stderr, options)})
}

// observeFlags say what is told of the service beside its log.
type observeFlags struct {
	TraceOTLP      string        `name:"trace-otlp" placeholder:"HOST:PORT" group:"What is observed" help:"Collector that takes traces by OTLP over gRPC. Empty: nothing is traced, and nothing sent."`
	TracePlaintext bool          `group:"What is observed" help:"Send traces without TLS: the collector is on this machine, or the network is trusted."`
	TraceShare     float64       `default:"0.01" min:"0" max:"1" reload:"" group:"What is observed" help:"Share of calls that are traced, where the caller does not say by its own trace."`
	OnlineWindow   time.Duration `default:"30m" min:"1s" max:"168h" group:"What is observed" help:"How long after a list was served a click or purchase counts as its outcome, in the metrics."`
	OnlineLists    int           `default:"262144" min:"1" max:"268435456" group:"What is observed" help:"Lists that are remembered for that, at 24 bytes each; past it the oldest are forgotten, and counted."`
}

// put hands them to a service.
func (o *observeFlags) put(c *service.Config) {
	c.Trace = telemetry.TraceConfig{Addr: o.TraceOTLP, Plaintext: o.TracePlaintext, Share: o.TraceShare}
	c.OnlineWindow, c.OnlineLists = o.OnlineWindow, o.OnlineLists
}
