package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/loadtest/report"
)

type pageCommand struct {
	Dir string `default:"figures" placeholder:"DIR" help:"Folder of the files."`
	Out string `required:"" placeholder:"FILE" help:"The page: HTML, or Markdown if its name ends in .md."`
}

// Run draws what is kept.
func (c *pageCommand) Run() error {
	records, err := read(c.Dir)
	if err != nil {
		return err
	}
	if err := page(records).WriteFile(c.Out); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d figures, drawn in %s\n", len(records), c.Out)
	return nil
}

// read reads all records of a folder, by name.
func read(dir string) ([]record, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no figures; run some first: make figures, or make figure-office", dir)
	}
	slices.Sort(paths)
	var records []record
	for _, path := range paths {
		var r record
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		records = append(records, r)
	}
	return records, nil
}

func page(records []record) report.Page {
	p := report.Page{Title: "Figures", Lead: fmt.Sprintf("%d commands, as they ran. Figures of different days or machines do not compare.", len(records))}
	summary := &report.Table{Head: []string{"figure", "goes to", "taken", "seconds in all", "cores"}}
	for _, r := range records {
		summary.Rows = append(summary.Rows, []string{r.Name, r.Goes, r.Started.Format(time.DateTime), fmt.Sprintf("%.0f", r.Seconds), fmt.Sprint(r.Cores)})
	}
	p.Sections = append(p.Sections, report.Section{Title: "All", Table: summary, Wide: true})
	for _, r := range records {
		p.Sections = append(p.Sections, report.Section{Title: r.Name, Text: r.Command + " · " + r.System, Table: table(r.Found), Wide: len(r.Found) > 1})
	}
	return p
}

// table has a row for each number, or, where several objects were printed, a column for each
// of the first ones.
func table(found []map[string]any) *report.Table {
	const most = 8
	names := map[string]bool{}
	var flat []map[string]string
	for _, object := range found[:min(most, len(found))] {
		values := map[string]string{}
		flatten("", object, values)
		flat = append(flat, values)
		for name := range values {
			names[name] = true
		}
	}
	t := &report.Table{Head: []string{"what"}}
	for i := range flat {
		t.Head = append(t.Head, fmt.Sprintf("%d", i+1))
	}
	if len(found) > most {
		t.Head[len(t.Head)-1] += fmt.Sprintf(" of %d", len(found))
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := []string{name}
		for _, values := range flat {
			row = append(row, values[name])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// flatten names the values of nested objects by their path. Lists are left to the files.
func flatten(prefix string, object map[string]any, into map[string]string) {
	for name, value := range object {
		switch v := value.(type) {
		case map[string]any:
			flatten(prefix+name+".", v, into)
		case float64:
			into[prefix+name] = number(v)
		case string:
			into[prefix+name] = v
		case bool:
			into[prefix+name] = fmt.Sprint(v)
		}
	}
}

// number keeps four digits, as figures are quoted.
func number(v float64) string {
	if v > -1 && v < 1 {
		return fmt.Sprintf("%.4g", v)
	}
	return report.Number(v)
}
