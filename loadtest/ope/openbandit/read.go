package openbandit

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/ope"
	"github.com/kindred-rec/kindred/loadtest/ope/internal/faults"
)

// Options bound what is read.
type Options struct {
	// MaxRows is the longest log to hold in memory, at about 100 bytes a row and 4 for each feature.
	MaxRows int
	// MaxFeatures is how many values all user features together may have.
	MaxFeatures int
}

// DefaultOptions hold the sample and parts of the whole dataset.
func DefaultOptions() Options { return Options{MaxRows: 2_000_000, MaxFeatures: 256} }

// Log is a log of the dataset. Slots are positions, from 0.
type Log struct {
	ope.Log
	File string
}

// maxItems bounds item ids: the largest campaign has 80.
const maxItems = 10_000

// columns are where things stand in the file; -1: nowhere.
type columns struct {
	index, item, position, click, propensity int
	user                                     []int
}

// ReadFile reads a csv, packed or not. Broken rows are *dataset.RowError, of which the first few are told.
func ReadFile(path string, o Options) (*Log, error) {
	in, err := dataset.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("openbandit: %w", err)
	}
	defer in.Close()
	l, err := read(in, path, o)
	if err != nil {
		return nil, fmt.Errorf("openbandit: %w", err)
	}
	return l, nil
}

func read(in io.Reader, path string, o Options) (*Log, error) {
	table := csv.NewReader(in)
	table.ReuseRecord = true
	header, err := table.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("%s is empty; it needs a header and rows", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	at, err := columnsOf(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := &builder{log: &Log{File: path}, at: at, file: path, met: map[string]int64{}, values: map[string]int{}}
	b.log.Closed, b.log.MaxReward = true, 1
	for {
		record, err := table.Read()
		if err == io.EOF {
			break
		}
		line, _ := table.FieldPos(0)
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			b.faults.Add(path, int64(line), "", "", "%d fields; the header has %d", len(record), len(header))
		case err != nil: // of the csv, and the error names the line
			return nil, fmt.Errorf("%s: %w", path, err)
		case len(b.log.Rows) == o.MaxRows:
			return nil, fmt.Errorf("%s: more than %d rows; raise the bound on rows", path, o.MaxRows)
		default:
			b.add(int64(line), record)
		}
	}
	return b.finish(o)
}

func columnsOf(header []string) (columns, error) {
	find := func(name string) int { return slices.Index(header, name) }
	c := columns{index: find(""), item: find("item_id"), position: find("position"), click: find("click"), propensity: find("propensity_score")}
	for name, at := range map[string]int{"item_id": c.item, "position": c.position, "click": c.click, "propensity_score": c.propensity} {
		if at < 0 {
			return c, fmt.Errorf("no column %s; the header is %s", name, strings.Join(header, ","))
		}
	}
	for i, name := range header {
		if strings.HasPrefix(name, "user_feature_") {
			c.user = append(c.user, i)
		}
	}
	return c, nil
}

// builder makes a log row by row.
type builder struct {
	log    *Log
	at     columns
	file   string
	faults faults.List
	met    map[string]int64 // line of each row number
	values map[string]int   // feature of each value of each user feature
	users  [][]int32        // [rows] the features that are 1
}

func (b *builder) add(line int64, record []string) {
	bad := func(column int, name, reason string, args ...any) {
		b.faults.Add(b.file, line, name, record[column], reason, args...)
	}
	if b.at.index >= 0 {
		number := record[b.at.index]
		if first, twice := b.met[number]; twice {
			bad(b.at.index, "row number", "stands on line %d already: the row would count twice", first)
			return
		}
		b.met[strings.Clone(number)] = line
	}
	item, err := strconv.Atoi(record[b.at.item])
	if err != nil || item < 0 || item >= maxItems {
		bad(b.at.item, "item_id", "must be a whole number from 0 to %d", maxItems-1)
		return
	}
	position, err := strconv.Atoi(record[b.at.position])
	if err != nil || position < 1 || position > 3 {
		bad(b.at.position, "position", "must be 1, 2 or 3")
		return
	}
	click, err := strconv.ParseFloat(record[b.at.click], 64)
	if err != nil || click != 0 && click != 1 {
		bad(b.at.click, "click", "must be 0 or 1")
		return
	}
	propensity, err := strconv.ParseFloat(record[b.at.propensity], 64)
	if err == nil {
		err = ope.CheckPropensity(propensity)
	}
	if err != nil {
		bad(b.at.propensity, "propensity_score", "%v", err)
		return
	}
	b.log.Actions, b.log.Slots = max(b.log.Actions, item+1), max(b.log.Slots, position)
	b.log.Rows = append(b.log.Rows, ope.Row{Decision: int32(len(b.log.Rows)), Action: int32(item), Slot: int32(position - 1), Propensity: propensity, Reward: click})
	b.users = append(b.users, b.features(record))
}

// features numbers the values of the user features, in the order in which they are met.
func (b *builder) features(record []string) []int32 {
	ones := make([]int32, len(b.at.user))
	for i, column := range b.at.user {
		key := strconv.Itoa(i) + "=" + record[column]
		feature, known := b.values[key]
		if !known {
			feature = len(b.values)
			b.values[key] = feature
		}
		ones[i] = int32(feature)
	}
	return ones
}

func (b *builder) finish(o Options) (*Log, error) {
	if err := b.faults.Err(); err != nil {
		return nil, err
	}
	if len(b.log.Rows) == 0 {
		return nil, fmt.Errorf("%s has a header and no rows: there is nothing to judge a policy by", b.file)
	}
	if len(b.values) > o.MaxFeatures {
		return nil, fmt.Errorf("%s: the user features have %d values; at most %d (MaxFeatures)", b.file, len(b.values), o.MaxFeatures)
	}
	n := len(b.values)
	flat := make([]float32, n*len(b.log.Rows))
	for i, ones := range b.users {
		b.log.Rows[i].Features = flat[i*n : (i+1)*n : (i+1)*n]
		for _, j := range ones {
			b.log.Rows[i].Features[j] = 1
		}
	}
	b.log.Features = n
	return b.log, nil
}
