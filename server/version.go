package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// version says what this binary was built from: the version that Go stamped (a tag, or the
// commit's time and hash, with +dirty where files had changed), the commit, the compiler,
// and whether XLA is in it. Two binaries with equal lines and no +dirty are equal.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "kindred, built without a module: its version is not known"
	}
	return describe(info)
}

func describe(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	var b strings.Builder
	b.WriteString("kindred " + info.Main.Version)
	if revision := settings["vcs.revision"]; revision != "" {
		fmt.Fprintf(&b, ", commit %s of %s", revision, settings["vcs.time"])
		if settings["vcs.modified"] == "true" {
			b.WriteString(" with changed files")
		}
	}
	fmt.Fprintf(&b, ", %s %s/%s", info.GoVersion, settings["GOOS"], settings["GOARCH"])
	if settings["CGO_ENABLED"] == "1" {
		b.WriteString(", with cgo (go and xla backends)")
	} else {
		b.WriteString(", without cgo (go backend)")
	}
	return b.String()
}
