package dataset

import (
	"fmt"
	"strings"
)

// Mapping says which column of a csv or parquet file holds a field: title=name reads the title from the column "name".
type Mapping struct {
	Field  string // a known column name, or "attributes.NAME" with ":number", ":bool", ":time" or ":strings" behind it
	Column string // as in the file
}

// ParseMap reads "title=name,price=cost", the form that a command line takes. Empty text is no mapping.
func ParseMap(text string) ([]Mapping, error) {
	if text == "" {
		return nil, nil
	}
	var list []Mapping
	for pair := range strings.SplitSeq(text, ",") {
		field, column, ok := strings.Cut(pair, "=")
		field, column = strings.TrimSpace(field), strings.TrimSpace(column)
		if !ok || field == "" || column == "" {
			return nil, fmt.Errorf("dataset: mapping %q: must be field=column, as title=name,price=cost", pair)
		}
		list = append(list, Mapping{field, column})
	}
	return list, nil
}
