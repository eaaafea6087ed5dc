package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// Entry is a setting as it counts.
type Entry struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // stars where it is a secret
	Source string `json:"source"`
	Place  string `json:"place,omitempty"` // "kindred.yaml:3", "KINDRED_GRPC"; of a default what it was made for, mostly ""
}

// Entries are all settings in the order of the flags, once kong has applied them.
func (s *Settings) Entries() []Entry {
	list := make([]Entry, 0, len(s.flags))
	for _, f := range s.flags {
		g := s.from(f.Name)
		list = append(list, Entry{f.Name, shownText(f, textOf(f.Target)), g.source.String(), g.place})
	}
	return list
}

// Print writes the settings as they count, as a file that sets them, with the place that
// each came from. Secrets are stars.
func (s *Settings) Print(w io.Writer) error {
	for _, f := range s.flags {
		if f.Name == FileFlag {
			continue
		}
		g := s.from(f.Name)
		where := g.source.String()
		if g.place != "" {
			where += " " + g.place
		}
		line := f.Name + ": " + s.yamlText(f, f.Target)
		if _, err := fmt.Fprintf(w, "%-50s # %s\n", line, where); err != nil {
			return err
		}
	}
	return nil
}

// yamlText is a value as the file has it.
func (s *Settings) yamlText(f *kong.Flag, v reflect.Value) string {
	if secret(f) {
		return yamlScalar(shownText(f, textOf(v)), false)
	}
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = yamlScalar(textOf(v.Index(i)), false)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	_, plain := number(v)
	return yamlScalar(textOf(v), plain || v.Kind() == reflect.Bool)
}

// yamlScalar quotes what YAML would read as something else than a word.
func yamlScalar(text string, plain bool) string {
	if plain {
		return text
	}
	out, err := yaml.Marshal(text)
	if err != nil || strings.Count(string(out), "\n") > 1 {
		return fmt.Sprintf("%q", text)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Example writes the documented file: every setting with its help, range and default, as
// comments.
func Example(w io.Writer, flags []*kong.Flag) error {
	s := &Settings{flags: flags}
	var b strings.Builder
	b.WriteString(exampleHead)
	group := ""
	for _, f := range flags {
		if f.Name == FileFlag || f.Name == "help" || f.Hidden {
			continue
		}
		if g := groupOf(f); g != group {
			group = g
			fmt.Fprintf(&b, "\n# ---- %s ----\n", g)
		}
		b.WriteString("\n")
		for _, line := range wrap(f.Help+" "+notes(f), 92) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		text := s.yamlText(f, defaultOf(f))
		if f.Tag.Type == "path" {
			text = yamlScalar(f.Default, false) // not where this program happens to run
		}
		fmt.Fprintf(&b, "#%s: %s\n", f.Name, text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const exampleHead = `# Settings of kindred serve: --config FILE, or KINDRED_CONFIG.
#
# A flag counts before the environment, the environment before this file, this file before
# the default. The setting ranking-age is --ranking-age and KINDRED_RANKING_AGE.
# "config print" shows what counts and where it comes from. Lines below are the defaults.
`

// notes says of a setting what its help does not.
func notes(f *kong.Flag) string {
	var parts []string
	if f.Enum != "" && !strings.Contains(f.Help, f.Enum) {
		parts = append(parts, "One of "+strings.Join(enumOf(f), ", ")+".")
	}
	if r := rangeOf(f); r != "" {
		parts = append(parts, strings.ToUpper(r[:1])+r[1:]+".")
	}
	if f.Tag.Has("reload") {
		parts = append(parts, "Changes on SIGHUP.")
	}
	return strings.Join(parts, " ")
}

func groupOf(f *kong.Flag) string {
	if f.Group != nil {
		return f.Group.Title
	}
	return "The service"
}

// defaultOf is what a flag has where nothing sets it.
func defaultOf(f *kong.Flag) reflect.Value {
	v := reflect.New(f.Target.Type()).Elem()
	if f.HasDefault {
		scan := kong.Scan().PushTyped(typed(f, f.Default), kong.FlagValueToken)
		_ = f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, v) // kong has read it once
	}
	return v
}

// wrap breaks a text into lines of at most width bytes, where it has spaces to break at.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
