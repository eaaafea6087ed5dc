package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// typed is a text as kong's mapper of a flag takes it.
func typed(f *kong.Flag, text string) any {
	if f.IsBool() {
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

// readable reports why a flag cannot have a value. The flag stays as it is.
func readable(f *kong.Flag, g given) error {
	scratch := reflect.New(f.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(typed(f, g.text), kong.FlagValueToken)
	if err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, scratch); err != nil {
		return fmt.Errorf("%s: %s is %q: %w", g.place, f.Name, shownText(f, g.text), err)
	}
	if f.Enum != "" && !slices.Contains(enumOf(f), textOf(scratch)) {
		return fmt.Errorf("%s: %s is %q: give one of %s", g.place, f.Name, g.text, f.Enum)
	}
	return inRange(f, scratch, g.place)
}

func enumOf(f *kong.Flag) []string {
	words := strings.Split(f.Enum, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return words
}

// inRange checks a value against the tags min and max of its flag. Both are in the unit
// of the flag: "1", "100ms", "1MiB".
func inRange(f *kong.Flag, value reflect.Value, place string) error {
	n, ok := number(value)
	if !ok {
		return nil
	}
	if f.Tag.Has("zero") && n == 0 { // what 0 says stands in the help
		return nil
	}
	least, most := bound(f, "min", math.Inf(-1)), bound(f, "max", math.Inf(1))
	if n >= least && n <= most {
		return nil
	}
	return fmt.Errorf("%s: %s is %s: give %s", place, f.Name, textOf(value), rangeOf(f))
}

// rangeOf is a flag's range in words; "" where it has none.
func rangeOf(f *kong.Flag) string {
	least, most := f.Tag.Get("min"), f.Tag.Get("max")
	words := ""
	switch {
	case least != "" && most != "":
		words = least + " to " + most
	case least != "":
		words = "at least " + least
	case most != "":
		words = "at most " + most
	}
	if words != "" && f.Tag.Has("zero") {
		words += ", or 0"
	}
	return words
}

// bound is a tag's number in the unit of its flag. A tag that cannot be read is a fault
// of the program, which the tests of the flags find: [CheckTags].
func bound(f *kong.Flag, tag string, otherwise float64) float64 {
	text := f.Tag.Get(tag)
	if text == "" {
		return otherwise
	}
	scratch := reflect.New(f.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(text, kong.FlagValueToken)
	if err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, scratch); err != nil {
		return math.NaN()
	}
	n, ok := number(scratch)
	if !ok {
		return math.NaN()
	}
	return n
}

// CheckTags reports flags whose tags min and max cannot be read in the flag's own unit.
// It is for tests.
func CheckTags(flags []*kong.Flag) error {
	for _, f := range flags {
		for _, tag := range []string{"min", "max"} {
			if math.IsNaN(bound(f, tag, 0)) {
				return fmt.Errorf("--%s: the tag %s:%q is no value of the flag", f.Name, tag, f.Tag.Get(tag))
			}
		}
	}
	return nil
}

// number is a value as a number; false for words and lists.
func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// textOf is a value as a flag would say it.
func textOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = textOf(v.Index(i))
		}
		return kong.JoinEscaped(parts, ',')
	}
	return fmt.Sprint(v.Interface())
}

// durationText leaves out the zeros that time.Duration ends with: "1h", not "1h0m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// stars stand for a secret.
const stars = "********"

func secret(f *kong.Flag) bool { return f.Tag.Has("secret") }

func shownText(f *kong.Flag, text string) string {
	if secret(f) && text != "" {
		return stars
	}
	return text
}
