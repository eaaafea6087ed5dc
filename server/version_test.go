package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionTellsWhatWasBuilt(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3+dirty"},
		Settings: []debug.BuildSetting{
			setting("CGO_ENABLED", "0"), setting("GOOS", "linux"), setting("GOARCH", "arm64"),
			setting("vcs.revision", "0123abcd"), setting("vcs.time", "2026-11-29T09:00:00Z"), setting("vcs.modified", "true"),
		},
	}
	want := "kindred v1.2.3+dirty, commit 0123abcd of 2026-11-29T09:00:00Z with changed files, go1.26.8 linux/arm64, without cgo (go backend)"
	if got := describe(info); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	info.Settings = []debug.BuildSetting{setting("CGO_ENABLED", "1"), setting("GOOS", "linux"), setting("GOARCH", "amd64")}
	info.Main.Version = "(devel)"
	want = "kindred (devel), go1.26.8 linux/amd64, with cgo (go and xla backends)"
	if got := describe(info); got != want {
		t.Errorf("without version control: got  %s\nwant %s", got, want)
	}
}
