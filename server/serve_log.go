package main

import (
	"log/slog"
	"os"
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
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
