package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kindred-rec/kindred/server/config"
)

// command has a flag of each kind.
type command struct {
	Config string        `placeholder:"FILE" help:"The file."`
	Addr   string        `default:"127.0.0.1:1" help:"Where it listens."`
	Age    time.Duration `default:"5s" max:"1m" reload:"" help:"How long it lasts."`
	Peers  []string      `help:"The others."`
	Cache  config.Size   `default:"256MiB" min:"1MiB" group:"Limits" help:"Memory."`
	Rows   int           `default:"1000" min:"1" max:"1000" group:"Limits" help:"Rows of a batch."`
	Idle   time.Duration `default:"0s" zero:"" min:"1s" help:"0: not."`
	Quiet  bool          `help:"Says less."`
	Mode   string        `default:"a" enum:"a,b" help:"How."`
	Token  string        `secret:"" help:"A key."`

	settings *config.Settings
}

func (c *command) BeforeResolve(ctx *kong.Context, trace *kong.Path) (err error) {
	c.settings, err = config.Load(ctx, trace.Node().Flags)
	return err
}

func parse(t *testing.T, args ...string) (*command, error) {
	t.Helper()
	var cli struct {
		Serve command  `cmd:"" default:"withargs"`
		Other struct{} `cmd:""`
	}
	parser, err := kong.New(&cli, kong.Exit(func(int) { t.Fatal("kong ended the process") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return &cli.Serve, err
}

func must(t *testing.T, args ...string) *command {
	t.Helper()
	c, err := parse(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "k.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFlagCountsBeforeTheEnvironmentBeforeTheFileBeforeTheDefault(t *testing.T) {
	path := file(t, "addr: file:1\nage: 1s\nrows: 7\n")
	t.Setenv("KINDRED_ADDR", "env:1")
	t.Setenv("KINDRED_AGE", "2s")
	c := must(t, "--config", path, "--addr", "flag:1")
	if c.Addr != "flag:1" || c.Age != 2*time.Second || c.Rows != 7 || c.Cache != 256<<20 {
		t.Errorf("addr %s, age %s, rows %d, cache %s", c.Addr, c.Age, c.Rows, c.Cache)
	}
	want := map[string]string{"addr": "flag --addr", "age": "environment KINDRED_AGE", "rows": "file " + path + ":3", "cache": "default "}
	for _, e := range c.settings.Entries() {
		if w, ok := want[e.Name]; ok && w != e.Source+" "+e.Place {
			t.Errorf("%s comes from %s %s, want %s", e.Name, e.Source, e.Place, w)
		}
	}
}

func TestTheEnvironmentNamesTheFile(t *testing.T) {
	t.Setenv("KINDRED_CONFIG", file(t, "mode: b"))
	if c := must(t); c.Mode != "b" {
		t.Errorf("mode %s", c.Mode)
	}
}

func TestEveryKindOfValueIsReadFromAFile(t *testing.T) {
	c := must(t, "--config", file(t, "peers: [a:1, 'b,c']\ncache: 2GiB\nquiet: true\nmode: b\nidle: 0\n# a comment\ntoken: t\n"))
	if len(c.Peers) != 2 || c.Peers[1] != "b,c" || c.Cache != 2<<30 || !c.Quiet || c.Mode != "b" || c.Token != "t" {
		t.Errorf("%+v", c)
	}
}

func TestAllMistakesAreToldAtOnceWithTheirPlaces(t *testing.T) {
	t.Setenv("KINDRED_CACHE", "10KiB")
	t.Setenv("KINDRED_IDLE", "soon")
	path := file(t, "adr: x\nzebra: 1\nage: 2m\nrows: many\nmode: c\npeers: {a: b}\nquiet:\nrows: 3\ntoken: [[a]]\nconfig: other.yaml\n")
	_, err := parse(t, "--config", path, "--rows", "5000")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		":1: adr is no setting: did you mean addr?",
		":2: zebra is no setting: `config example` lists all",
		":3: age is 2m: give at most 1m",
		`:4: rows is "many": `,
		`:5: mode is "c": give one of a,b`,
		":6: peers is a mapping",
		":7: quiet has no value",
		":8: rows stands in line 4 already",
		":9: token holds more than words",
		":10: config is no setting",
		"KINDRED_CACHE: cache is 10KiB: give at least 1MiB",
		`KINDRED_IDLE: idle is "soon"`,
		"--rows: rows is 5000: give 1 to 1000",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in\n%v", want, err)
		}
	}
}

func TestAFileThatIsNoFileOfSettingsIsRefused(t *testing.T) {
	for want, text := range map[string]string{
		"is no mapping": "- a\n- b\n", "yaml": "a: b: c", "larger than 1MiB": strings.Repeat("#", 1<<20+1),
	} {
		if _, err := parse(t, "--config", file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := parse(t, "--config", "/nowhere/k.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere/k.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
	must(t, "--config", file(t, "# nothing yet\n"))
}

func TestAVariableThatIsNearlyASettingIsAWarning(t *testing.T) {
	t.Setenv("KINDRED_ADDRR", "x")
	t.Setenv("KINDRED_PORT_50051_TCP_PROTO", "tcp") // a platform's
	c := must(t)
	if len(c.settings.Warnings) != 1 || !strings.Contains(c.settings.Warnings[0], "KINDRED_ADDR?") {
		t.Errorf("warnings %q", c.settings.Warnings)
	}
}

func TestAnotherCommandsEnvironmentIsLeftAlone(t *testing.T) {
	t.Setenv("KINDRED_ROWS", "bad")
	if _, err := parse(t, "other"); err != nil {
		t.Error(err)
	}
}

func TestPrintShowsPlacesAndMasksSecretsAndReadsBack(t *testing.T) {
	c := must(t, "--config", file(t, "token: hush\npeers: [a, b]\n"), "--age", "30s", "--idle", "1h")
	var out strings.Builder
	if err := c.settings.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"age: 30s", "# flag --age", "peers: [a, b]", "idle: 1h ", "cache: 256MiB", "# default"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hush") {
		t.Errorf("the secret is in\n%s", out.String())
	}
	if again := must(t, "--config", file(t, out.String())); again.Age != c.Age || again.Idle != time.Hour || len(again.Peers) != 2 {
		t.Errorf("read back: %+v", again)
	}
}

func TestAMistakeOfASecretDoesNotShowIt(t *testing.T) {
	_, err := parse(t, "--config", file(t, "token: [[hush]]\n"))
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestTheExampleIsTheDefaults(t *testing.T) {
	var cli command
	parser, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := config.Example(&out, parser.Model.Flags); err != nil {
		t.Fatal(err)
	}
	set := 0
	for line := range strings.Lines(out.String()) {
		if text, ok := strings.CutPrefix(line, "#"); ok && text[0] != ' ' && text != "\n" {
			set++
			out.WriteString(text)
		}
	}
	if set != 9 || !strings.Contains(out.String(), "# Rows of a batch. 1 to 1000.") || !strings.Contains(out.String(), "Changes on SIGHUP.") {
		t.Errorf("%d settings in\n%s", set, out.String())
	}
	c, fresh := must(t, "--config", file(t, out.String())), must(t)
	if changes := config.Diff(fresh.settings, c.settings); len(changes) > 0 {
		t.Errorf("the example is not the defaults: %+v", changes)
	}
}

func TestDiffSaysWhatTakesEffect(t *testing.T) {
	from := must(t, "--token", "a")
	to := must(t, "--age", "1s", "--rows", "3", "--token", "b")
	got := config.Diff(from.settings, to.settings)
	want := []config.Change{{"age", "5s", "1s", true}, {"rows", "1000", "3", false}, {"token", "********", "********", false}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %+v", got)
	}
}

func TestTagsOfRangesCanBeRead(t *testing.T) {
	var good command
	parser, err := kong.New(&good)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.CheckTags(parser.Model.Flags); err != nil {
		t.Error(err)
	}
	var bad struct {
		Age time.Duration `min:"1"`
	}
	if parser, err = kong.New(&bad); err != nil {
		t.Fatal(err)
	}
	if err := config.CheckTags(parser.Model.Flags); err == nil || !strings.Contains(err.Error(), "--age") {
		t.Errorf("got %v", err)
	}
}

func TestSizesGoBothWays(t *testing.T) {
	for text, want := range map[string]config.Size{"512MiB": 512 << 20, "1.5gib": 3 << 29, "10": 10, "7B": 7, "2 KiB": 2048, "0": 0} {
		var s, back config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%s went to %s and %d, %v", text, s, back, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1MiB", "NaN", "1e300TiB", "5XiB"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %s", text, s)
		}
	}
}
