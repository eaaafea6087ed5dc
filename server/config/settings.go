package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix begins every variable of the environment that is a setting.
const EnvPrefix = "KINDRED_"

// FileFlag is the flag that names the file. It may be a variable of the environment, but
// stands in no file.
const FileFlag = "config"

// Source is a place that settings come from. A later one counts before an earlier one.
type Source int

const (
	Default Source = iota
	File
	Env
	Flag
)

// String is the word that prints name a source by.
func (s Source) String() string { return [...]string{"default", "file", "environment", "flag"}[s] }

// given is what a source says of one setting.
type given struct {
	source Source
	text   string // as a flag would say it
	place  string // for people: "kindred.yaml:3", "KINDRED_GRPC", "--grpc"
}

// Settings are those of one command. The values are those of the flags' targets, once
// kong has applied them.
type Settings struct {
	// Warnings are what looks like a mistake and may be none.
	Warnings []string

	flags []*kong.Flag
	given map[string]given // by flag; not there: the default
	noted map[string]given // where a value comes from that none of them gave
}

// Load reads the environment and the file at a path ("" for none) for the flags of a
// command, those with the tag config:"-" apart, and hands what they say to kong. Call it from a BeforeResolve hook of the
// command, whose trace has its flags. Errors join all mistakes of flags, environment and
// file; a file that cannot be read is one.
func Load(ctx *kong.Context, flags []*kong.Flag) (*Settings, error) {
	s := &Settings{given: map[string]given{}, noted: map[string]given{}}
	for _, f := range flags {
		if f.Name != "help" && f.Tag.Get("config") != "-" {
			s.flags = append(s.flags, f)
		}
	}
	var faults []error
	path, err := s.filePath(ctx)
	if err == nil && path != "" {
		err = s.readFile(path)
	}
	faults = append(faults, err, s.readEnv(os.Environ()))
	faults = append(faults, s.readFlags(ctx)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	ctx.AddResolver(s)
	return s, nil
}

// filePath is the file that the command line or the environment names.
func (s *Settings) filePath(ctx *kong.Context) (string, error) {
	f := s.flag(FileFlag)
	if f == nil {
		return "", nil
	}
	if path, _ := ctx.FlagValue(f).(string); path != "" {
		return path, nil
	}
	return os.Getenv(EnvName(FileFlag)), nil
}

// readFlags notes what the command line sets, and checks its ranges: kong has read it.
func (s *Settings) readFlags(ctx *kong.Context) []error {
	var faults []error
	for _, path := range ctx.Path {
		if path.Flag == nil || path.Resolved || s.flag(path.Flag.Name) == nil {
			continue
		}
		place := "--" + path.Flag.Name
		value := reflect.ValueOf(ctx.FlagValue(path.Flag))
		faults = append(faults, inRange(path.Flag, value, place))
		s.given[path.Flag.Name] = given{Flag, textOf(value), place}
	}
	return faults
}

// readEnv notes what the environment sets.
func (s *Settings) readEnv(environ []string) error {
	var faults []error
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, EnvPrefix) {
			continue
		}
		f := s.flag(strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, EnvPrefix)), "_", "-"))
		if f == nil || EnvName(f.Name) != name {
			s.warnNearly(name)
			continue
		}
		if err := s.take(f, given{Env, text, name}); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// warnNearly notes a variable that is nearly a setting.
func (s *Settings) warnNearly(name string) {
	names := make([]string, len(s.flags))
	for i, f := range s.flags {
		names[i] = EnvName(f.Name)
	}
	if near := nearest(name, names); near != "" {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s in the environment is no setting: did you mean %s?", name, near))
	}
}

// take notes what a source says, if it can be read.
func (s *Settings) take(f *kong.Flag, g given) error {
	if err := readable(f, g); err != nil {
		return err
	}
	if have, ok := s.given[f.Name]; !ok || have.source < g.source {
		s.given[f.Name] = g
	}
	return nil
}

// flag returns a flag by its name; nil if there is none.
func (s *Settings) flag(name string) *kong.Flag {
	for _, f := range s.flags {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// EnvName is the variable of a setting: KINDRED_RANKING_AGE for ranking-age.
func EnvName(name string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Validate implements kong.Resolver: Load has done it.
func (s *Settings) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: it gives what environment and file say.
func (s *Settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	g, ok := s.given[f.Name]
	if !ok || g.source == Flag || s.flag(f.Name) != f {
		return nil, nil
	}
	if g.text == "" && f.Tag.Type == "path" && !f.HasDefault {
		return nil, nil // none; kong would read the folder it runs in
	}
	return typed(f, g.text), nil
}

// Given reports whether something sets a setting: its value is not the default.
func (s *Settings) Given(name string) bool {
	_, ok := s.given[name]
	return ok
}

// Note says where the value of a setting comes from that flags, environment and file do not give: a variable that has another
// name, or another setting. It is not Given for that.
func (s *Settings) Note(name string, source Source, place string) {
	s.noted[name] = given{source: source, place: place}
}

// from is where the value of a setting comes from.
func (s *Settings) from(name string) given {
	if g, ok := s.given[name]; ok {
		return g
	}
	return s.noted[name] // the zero value is a default
}
