package dataset

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// eachMember hands out the members of one JSON object in order. It refuses what encoding/json lets pass: a key that stands
// twice, and text behind the object. Keys are matched as written, case and all.
func eachMember(line []byte, member func(key string, raw json.RawMessage) *RowError) *RowError {
	d := json.NewDecoder(bytes.NewReader(line))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return bad("", string(line), "must be a JSON object")
	}
	seen := make(map[string]struct{}, 16)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return notJSON(line, err)
		}
		key, _ := token.(string) // the decoder allows nothing else as a key
		if _, twice := seen[key]; twice {
			return bad(key, "", "field stands twice")
		}
		seen[key] = struct{}{}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return notJSON(line, err)
		}
		if err := member(key, raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(line, err)
	}
	end := d.InputOffset()
	if _, err := d.Token(); err != io.EOF {
		return bad("", string(line[end:]), "text behind the JSON object; one object a line")
	}
	return nil
}

func notJSON(line []byte, err error) *RowError {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return bad("", string(line), "not a JSON object: %v", err)
}

func unknownField(key string) *RowError {
	return bad(key, "", "unknown field; put it under attributes, or leave it out")
}

// jsonString reads a JSON string.
func jsonString(column string, raw json.RawMessage) (string, *RowError) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", bad(column, string(raw), "must be a JSON string")
	}
	return *s, checkSurrogates(column, raw, *s)
}

// checkSurrogates refuses an escape of half a character, such as \ud800, which encoding/json turns into U+FFFD.
func checkSurrogates(column string, raw json.RawMessage, text string) *RowError {
	if !strings.ContainsRune(text, utf8.RuneError) || bytes.ContainsRune(raw, utf8.RuneError) ||
		bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return nil
	}
	return bad(column, string(raw), "holds half a surrogate pair")
}

// jsonStrings reads a JSON list of strings.
func jsonStrings(column string, raw json.RawMessage) ([]string, *RowError) {
	var list []*string
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, bad(column, string(raw), "must be a JSON list of strings")
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, bad(column, string(raw), "must be a JSON list of strings, holds null")
		}
		out[i] = *s
		if err := checkSurrogates(column, raw, *s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
