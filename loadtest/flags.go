package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// logFlags name a catalog and a log in files. The commands that may do without embed it and check for themselves.
type logFlags struct {
	Format string `placeholder:"FORMAT" help:"How the files are laid out: jsonl, movielens, amazon, amazon-reviews, s3rec, recbole, csv or parquet."`
	Data   string `placeholder:"DIR" help:"Directory with the files, or one file (jsonl, csv, parquet)."`

	ItemsFile     string   `placeholder:"FILE" help:"File of the items, where its name is not the usual one."`
	EventsFile    string   `placeholder:"FILE" help:"File of the events, where its name is not the usual one."`
	Map           []string `placeholder:"FIELD=COLUMN" help:"Columns that have other names (csv, parquet), as title=name,price=cost."`
	IgnoreColumns []string `placeholder:"COLUMN" help:"Columns to leave out (csv, parquet); * leaves out all that are not known."`
	Comma         string   `default:"," help:"What separates the columns of csv: one character, or 'tab'."`
	TimeUnit      string   `enum:"s,ms" default:"s" help:"Unit of times that are written as numbers: s or ms."`
	EventType     string   `placeholder:"TYPE" help:"Type of events whose file names none, such as view or purchase."`
	Currency      string   `placeholder:"EUR" help:"Currency of prices whose row names none."`
	MaxSorted     int      `placeholder:"N" help:"Events that movielens and amazon-reviews may hold to bring them into time order, at about 100 bytes each (2,000,000)."`
}

func (f logFlags) options() (dataset.Format, dataset.Options, error) {
	if f.Format == "" || f.Data == "" {
		return "", dataset.Options{}, fmt.Errorf("no data: give both --format and --data, as --format amazon --data ../shared/data/amazon-office")
	}
	format, err := dataset.ParseFormat(f.Format)
	if err != nil {
		return "", dataset.Options{}, err
	}
	mapping, err := dataset.ParseMap(strings.Join(f.Map, ","))
	if err != nil {
		return "", dataset.Options{}, err
	}
	o := dataset.Options{ItemsFile: f.ItemsFile, EventsFile: f.EventsFile, Map: mapping, IgnoreColumns: f.IgnoreColumns,
		EventType: f.EventType, Currency: f.Currency, MaxSortedEvents: f.MaxSorted}
	if o.Comma, err = separator(f.Comma); err != nil {
		return "", dataset.Options{}, err
	}
	if f.TimeUnit == "ms" {
		o.TimeUnit = dataset.Milliseconds
	}
	return format, o, nil
}

func (f logFlags) open() (dataset.Source, error) {
	format, o, err := f.options()
	if err != nil {
		return nil, err
	}
	return dataset.Open(format, f.Data, o)
}

func separator(text string) (rune, error) {
	if text == "tab" {
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size == 0 || size != len(text) {
		return 0, fmt.Errorf("--comma %q: must be one character, or tab", text)
	}
	return r, nil
}

// serverFlags name a running server.
type serverFlags struct {
	Addr string `default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the running server (${default})."`
	Key  string `env:"KINDRED_KEY" placeholder:"KEY" help:"API key. A server on this machine may need none."`
}

// writeJSON writes a value as one line.
func writeJSON(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
