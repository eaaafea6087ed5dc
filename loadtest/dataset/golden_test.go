package dataset

import (
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// Each fixture has broken rows between good ones. Its transcript lists what comes out, errors in their places: a broken row
// is named with its file, line and column, and the rows after it are there.
func TestBrokenRowsDoNotStopTheOthers(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
	}{{"amazon", Amazon}, {"amazon-reviews", Reviews}, {"s3rec", S3Rec}, {"movielens", MovieLens}, {"movielens100k", MovieLens}, {"csv", CSV},
		{"jsonl", JSONL}, {"recbole", RecBole}} {
		format := c.format
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join("testdata", c.name)
			src, err := Open(format, dir, Options{MaxRowBytes: 450})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			transcribe(&b, "items", src.Items())
			transcribe(&b, "events", src.Events())
			if tested, ok := src.(TestSource); ok {
				transcribe(&b, "cases", tested.Cases())
			}
			compareTranscript(t, filepath.Join(dir, "transcript.txt"), b.String())
		})
	}
}

func compareTranscript(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", path, diff)
	}
}

func transcribe[T any](b *strings.Builder, title string, rows iter.Seq2[T, error]) {
	fmt.Fprintf(b, "# %s\n", title)
	for row, err := range rows {
		if err != nil {
			fmt.Fprintf(b, "! %s\n", strings.ReplaceAll(err.Error(), "testdata/", ""))
			continue
		}
		fmt.Fprintf(b, "%s\n", show(reflect.ValueOf(row)))
	}
}

// show writes the fields that are set.
func show(v reflect.Value) string {
	switch at, isTime := v.Interface().(time.Time); {
	case isTime:
		return at.Format(time.RFC3339Nano)
	case v.Kind() == reflect.Pointer:
		return show(v.Elem())
	case v.Kind() == reflect.Map:
		var parts []string
		for _, k := range v.MapKeys() {
			parts = append(parts, k.String()+"="+show(v.MapIndex(k)))
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, " ") + "]"
	case v.Kind() == reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				parts = append(parts, v.Type().Field(i).Name+":"+show(v.Field(i)))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", v.String())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		return fmt.Sprintf("%q", v.Interface())
	}
	return fmt.Sprint(v.Interface())
}
