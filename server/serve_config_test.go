package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// settings reads a command line of serve.
func settings(t *testing.T, args ...string) (*serveCommand, error) {
	t.Helper()
	var c cli
	_, err := parse(t.Context(), &c, append([]string{"serve"}, args...))
	return &c.Serve, err
}

func mustSettings(t *testing.T, args ...string) *serveCommand {
	t.Helper()
	c, err := settings(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kindred.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheDocumentedFileIsTheDefaultsOfServe(t *testing.T) {
	flags, err := serveFlags()
	if err != nil {
		t.Fatal(err)
	}
	if err := config.CheckTags(flags); err != nil {
		t.Error(err)
	}
	for _, f := range flags {
		if f.Help == "" {
			t.Errorf("--%s says nothing of what it does", f.Name)
		}
	}
	var out bytes.Buffer
	if err := errors.Join(config.Example(&out, flags), fixedLimits(&out)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "# a title: 1024 bytes\n") {
		t.Error("the limits of the wire contract are not told")
	}
	for line := range strings.Lines(out.String()) {
		if text, ok := strings.CutPrefix(line, "#"); ok && text[0] != ' ' && text != "\n" {
			out.WriteString(text)
		}
	}
	with, without := mustSettings(t, "--config", settingsFile(t, out.String())), mustSettings(t)
	for _, change := range config.Diff(without.settings, with.settings) {
		t.Errorf("%s is %q in the example, and %q by default", change.Name, change.To, change.From)
	}
}

func TestTheDefaultsOfTheFlagsAreThoseOfTheParts(t *testing.T) {
	c := service.Config{Store: store.DefaultOptions()}
	s := mustSettings(t)
	s.limitFlags.put(&c)
	s.memoryFlags.put(&c)
	want := store.DefaultOptions()
	want.MaxItems = c.Store.MaxItems // the smaller one of store and shop counts
	got := c.Store
	want.Logger, want.Now, want.Random = nil, nil, nil
	got.Logger, got.Now, got.Random = nil, nil, nil
	if got.MaxUsers != want.MaxUsers || got.MaxValue != want.MaxValue || got.DecisionTTL != want.DecisionTTL || got.ListTTL != want.ListTTL ||
		got.QueueMutations != want.QueueMutations || got.QueueBytes != want.QueueBytes || got.GroupMutations != want.GroupMutations ||
		got.GroupBytes != want.GroupBytes || got.Reserve != want.Reserve || got.BlockCache != want.BlockCache ||
		got.IndexCache != want.IndexCache || got.MemTable != want.MemTable || got.MemTables != want.MemTables || got.Uncompressed != want.Uncompressed {
		t.Errorf("the store's are %+v, the flags give %+v", want, got)
	}
}

func TestLimitsThatDoNotFitTogetherAreAllTold(t *testing.T) {
	_, err := settings(t, "--config", settingsFile(t, "permits: 100\nbound: 5\nsync-rows: 10\nqueue-rows: 5\n"))
	for _, want := range []string{"bound is 5 and permits 100", "sync-rows is 10 of queue-rows 5"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestCachesThatNothingSetsAreCutToAShareOfMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	c := mustSettings(t, "--memory", "512MiB", "--text-index", "300MiB")
	if c.ProfileCache != 64<<20 || c.TextIndex != 300<<20 || c.FilterColumns != 64<<20 || c.BlockCache != 16<<20 || c.Memtable != 16<<20 {
		t.Errorf("profiles %s, words %s, columns %s, blocks %s, memtable %s", c.ProfileCache, c.TextIndex, c.FilterColumns, c.BlockCache, c.Memtable)
	}
	if c = mustSettings(t, "--memory", "128MiB"); c.Memtable != 8<<20 {
		t.Errorf("the least memtable is 8MiB, with little memory it is %s", c.Memtable)
	}
	if c.Compression != "none" || mustSettings(t, "--memory", "128MiB", "--store-compression", "snappy").Compression != "snappy" {
		t.Errorf("with little memory tables are packed by %s", c.Compression)
	}
	if c = mustSettings(t, "--memory", "64GiB"); c.Compression != "snappy" || c.ProfileCache != 256<<20 || c.Memtable != 64<<20 {
		t.Errorf("with much memory profiles are %s, a memtable is %s", c.ProfileCache, c.Memtable)
	}
	was := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	c.setLimit()
	if now := debug.SetMemoryLimit(-1); now != 64<<30 {
		t.Errorf("the collector's limit is %d", now)
	}
}

func TestGoMemLimitCountsWhereMemoryIsNotSetAndIsShown(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "256MiB")
	c := mustSettings(t)
	if c.Memory != 256<<20 || c.ProfileCache != 32<<20 {
		t.Errorf("under GOMEMLIMIT memory is %s and profiles are %s", c.Memory, c.ProfileCache)
	}
	var shown bytes.Buffer
	if err := c.settings.Print(&shown); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"memory: 256MiB", "environment GOMEMLIMIT"}, {"profile-cache: 32MiB", "default for memory 256MiB"}} {
		if !slices.ContainsFunc(strings.Split(shown.String(), "\n"), func(line string) bool { return holds(line, words) }) {
			t.Errorf("config print says nothing of %q:\n%s", words, shown.String())
		}
	}
	if c = mustSettings(t, "--memory", "1GiB"); c.Memory != 1<<30 || c.ProfileCache != 128<<20 {
		t.Errorf("beside --memory GOMEMLIMIT counts: memory is %s, profiles are %s", c.Memory, c.ProfileCache)
	}
	t.Setenv("GOMEMLIMIT", "off")
	if c = mustSettings(t); c.Memory != 0 || c.ProfileCache != 256<<20 {
		t.Errorf("with GOMEMLIMIT off memory is %s and profiles are %s", c.Memory, c.ProfileCache)
	}
}

func TestAScheduledTrainingHasItsBoundOfEpochs(t *testing.T) {
	trains, err := mustSettings(t, "--train-every", "1h", "--train-epochs", "3").training()
	if err != nil {
		t.Fatal(err)
	}
	if at := slices.Index(trains.Command, "--epochs"); at < 0 || trains.Command[at+1] != "3" {
		t.Errorf("the command is %q", trains.Command)
	}
}

func TestReloadChangesWhatCanChangeAndNamesWhatCannot(t *testing.T) {
	path := settingsFile(t, "ranking-age: 1s\n")
	var log book
	s := startKindred(t, &log, "--config", path)
	rewrite := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.hangUp()
	}
	rewrite("ranking-age: 0s\npermits: 7\nlog-level: debug\n")
	log.await(t, "setting changed", "name=ranking-age", "from=1s", "to=0s")
	log.await(t, "needs a restart", "name=permits")
	rewrite("ranking-age: 5m\nrankingage: 3s\n")
	log.await(t, "not read again", "give 0s to 1m", "did you mean ranking-age?")
	rewrite("ranking-age: 0s\n")
	log.await(t, "needs a restart", "name=permits", "from=7", "to=0")
	for _, events := range []string{"100000", "200000", "0"} { // on, otherwise, off
		rewrite("ranking-age: 0s\ntrain-after: " + events + "\n")
		log.await(t, "setting changed", "name=train-after", "to="+events)
	}
}

func TestASignalDuringTheStartIsObeyedAfterIt(t *testing.T) {
	path := settingsFile(t, "ranking-age: 1s\n")
	var log book
	s := launchKindred(t, &log, "--config", path)
	log.await(t, asKindred, "is no setting") // the first line: it has read its settings and opens the store
	if err := os.WriteFile(path, []byte("ranking-age: 0s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	log.await(t, "setting changed", "name=ranking-age", "from=1s", "to=0s")
}

// await waits until a line of the log holds all words.
func (b *book) await(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(b.String()) {
			if holds(line, words) {
				return
			}
		}
	}
	t.Fatalf("no line holds %q in\n%s", words, b.String())
}

func holds(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}
