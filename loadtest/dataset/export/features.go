package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protodelim"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var shownFields = (&kindredv1.ShownItem{}).ProtoReflect().Descriptor()

// writeFeatures writes a row for each item of each decision.
func writeFeatures(ctx context.Context, conn grpc.ClientConnInterface, o Options, r *Result) error {
	spool, err := os.CreateTemp(o.Dir, ".decisions-*")
	if err != nil {
		return err
	}
	defer func() { _, _ = spool.Close(), os.Remove(spool.Name()) }()
	names, err := fillSpool(ctx, conn, o, spool)
	if err != nil {
		return err
	}
	became, err := readOutcomes(ctx, conn, o)
	if err != nil {
		return err
	}
	t, err := newFeatureTable(o, names, became)
	if err != nil {
		return err
	}
	r.Features, r.File = len(names), t.file.path
	err = readSpool(ctx, spool, func(d *kindredv1.Decision) error {
		r.Decisions++
		return t.add(d, r)
	})
	r.Rows = t.file.rows
	return t.file.finish(err)
}

// fillSpool puts the decisions into a file and gives the names of all features, sorted.
func fillSpool(ctx context.Context, conn grpc.ClientConnInterface, o Options, spool *os.File) ([]string, error) {
	names := map[string]struct{}{}
	out := bufio.NewWriterSize(spool, 1<<18)
	err := eachDecision(ctx, conn, o, func(d *kindredv1.Decision) error {
		for _, name := range d.GetFeatureNames() {
			names[name] = struct{}{}
		}
		_, err := protodelim.MarshalTo(out, d)
		return err
	})
	return slices.Sorted(maps.Keys(names)), errors.Join(err, out.Flush())
}

func readSpool(ctx context.Context, spool *os.File, fn func(*kindredv1.Decision) error) error {
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(spool, 1<<18)
	for {
		d := &kindredv1.Decision{}
		err := protodelim.UnmarshalOptions{MaxSize: -1}.UnmarshalFrom(in, d) // we wrote it
		if err == io.EOF {
			return ctx.Err()
		}
		if err == nil {
			err = fn(d)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// featureTable has a row for each item of a decision.
type featureTable struct {
	file     *parquetFile
	became   *outcomes
	decision []*shred
	item     []*shred
	names    map[string]int // features: their columns
	features []int          // all those columns
	columns  []int          // of the features of the decision at hand
	head     columns        // the fields of the decision at hand
	set      []bool         // columns that the item at hand has a feature for

	shown, slot, clicked, purchased int
}

// The columns beside those of the wire and the features.
const (
	shownColumn     = "shown"
	slotColumn      = "slot"
	clickedColumn   = "clicked"
	purchasedColumn = "purchased"
	featureGroup    = "features"
)

func newFeatureTable(o Options, names []string, became *outcomes) (t *featureTable, err error) {
	t = &featureTable{became: became, names: map[string]int{}}
	if t.decision, err = shredFields(decisionFields, nil, 0, single); err != nil {
		return nil, err
	}
	if t.item, err = shredFields(shownFields, nil, 0, single); err != nil {
		return nil, err
	}
	root := parquet.Group{shownColumn: parquet.Leaf(parquet.BooleanType), slotColumn: parquet.Int(32),
		clickedColumn: parquet.Optional(parquet.Leaf(parquet.BooleanType)), purchasedColumn: parquet.Optional(parquet.Leaf(parquet.BooleanType))}
	for _, s := range slices.Concat(t.decision, t.item) {
		name := string(s.field.Name())
		if _, taken := root[name]; taken {
			return nil, fmt.Errorf("two columns are called %s", name)
		}
		root[name] = s.node()
	}
	features := parquet.Group{}
	for _, name := range names {
		features[name] = parquet.Optional(parquet.Leaf(parquet.FloatType))
	}
	if len(features) > 0 {
		root[featureGroup] = features
	}
	var schema *parquet.Schema
	if t.file, schema, err = createParquet(o, root); err != nil {
		return nil, err
	}
	if err := t.place(schema, names); err != nil {
		return nil, t.file.finish(err)
	}
	return t, nil
}

func (t *featureTable) place(schema *parquet.Schema, names []string) error {
	for _, s := range slices.Concat(t.decision, t.item) {
		if err := s.place(schema); err != nil {
			return err
		}
	}
	at := func(path ...string) int {
		leaf, _ := schema.Lookup(path...) // the path is the schema's own
		return leaf.ColumnIndex
	}
	t.shown, t.slot, t.clicked, t.purchased = at(shownColumn), at(slotColumn), at(clickedColumn), at(purchasedColumn)
	for _, name := range names {
		t.names[name] = at(featureGroup, name)
		t.features = append(t.features, t.names[name])
	}
	t.head, t.set = make(columns, len(schema.Columns())), make([]bool, len(schema.Columns()))
	return nil
}

// add writes the rows of a decision.
func (t *featureTable) add(d *kindredv1.Decision, r *Result) error {
	t.columns = t.columns[:0]
	for _, name := range d.GetFeatureNames() {
		t.columns = append(t.columns, t.names[name])
	}
	t.head.reset()
	for _, s := range t.decision {
		s.add(d.ProtoReflect(), t.head, 0, 0)
	}
	for i, item := range d.GetItems() {
		clicked, purchased := t.became.within(d, item.GetItemId())
		if clicked {
			r.Clicked++
		}
		if purchased {
			r.Purchased++
		}
		t.put(t.clicked, parquet.BooleanValue(clicked), 1)
		t.put(t.purchased, parquet.BooleanValue(purchased), 1)
		if err := t.row(d, item, int(d.GetOffset())+i+1); err != nil {
			return err
		}
	}
	for _, item := range d.GetLosers() {
		t.put(t.clicked, parquet.Value{}, 0)
		t.put(t.purchased, parquet.Value{}, 0)
		if err := t.row(d, item, 0); err != nil {
			return err
		}
	}
	return nil
}

func (t *featureTable) put(column int, v parquet.Value, definition int) {
	t.file.values.put(column, v, 0, definition)
}

// row writes one item; slot 0 is a loser.
func (t *featureTable) row(d *kindredv1.Decision, item *kindredv1.ShownItem, slot int) error {
	if len(item.GetFeatures()) > len(t.columns) {
		return fmt.Errorf("decision %s: item %q has %d features of %d names", d.GetRecommendationId(), item.GetItemId(), len(item.GetFeatures()), len(t.columns))
	}
	for column, values := range t.head {
		t.file.values[column] = append(t.file.values[column], values...)
	}
	for _, s := range t.item {
		s.add(item.ProtoReflect(), t.file.values, 0, 0)
	}
	t.put(t.shown, parquet.BooleanValue(slot > 0), 0)
	t.put(t.slot, parquet.Int32Value(int32(slot)), 0)
	clear(t.set)
	for i, v := range item.GetFeatures() {
		t.put(t.columns[i], parquet.FloatValue(v), 1)
		t.set[t.columns[i]] = true
	}
	for _, column := range t.features {
		if !t.set[column] {
			t.put(column, parquet.Value{}, 0)
		}
	}
	return t.file.write()
}
