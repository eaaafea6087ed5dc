package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// decodeStrict reads one JSON object and refuses what it does not know, by name.
func decodeStrict(line []byte, into any) *RowError {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return jsonError(line, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("", string(line[d.InputOffset():]), "text after the JSON object; one object a line")
	}
	return nil
}

func jsonError(line []byte, err error) *RowError {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return bad(wrong.Field, "", "must be %s, is a JSON %s", wrong.Type, wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return bad(strings.Trim(name, `"`), "", "unknown field; put it under attributes, or leave it out")
	}
	var rowErr *RowError
	if errors.As(err, &rowErr) {
		return rowErr
	}
	return bad("", string(line), "not a JSON object: %v", err)
}
