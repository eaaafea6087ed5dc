package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/lines"
)

// s3rec reads sequences.txt (a user, then its items in time order, separated by spaces) and item_attributes.json (one
// object: item to a list of attribute numbers). Attribute 12 becomes the tag "a12"; items have no titles. There are no times.
type s3rec struct {
	attributes, sequences string
	opts                  Options
}

func openS3Rec(dir string, opts Options) (Source, error) {
	s := &s3rec{opts: opts}
	var err error
	if s.sequences, err = find(dir, "sequences.txt"); err != nil {
		return nil, err
	}
	if s.attributes, err = find(dir, "item_attributes.json"); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *s3rec) Events() iter.Seq2[Event, error] {
	return eachLine(s.sequences, s.opts.MaxRowBytes, func(_ int64, line []byte, emit func(Event) bool) error {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			return bad("", string(line), "must be a user and at least one item")
		}
		emitSequence(fields[0], fields[1:], s.opts, emit)
		return nil
	})
}

// Items streams the members of the one object. A row is a member, counted from 1.
func (s *s3rec) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		in, err := lines.Open(s.attributes)
		if err != nil {
			yield(Item{}, fmt.Errorf("dataset: %w", err))
			return
		}
		defer in.Close()
		if err := s.eachMember(in, yield); err != nil {
			yield(Item{}, fmt.Errorf("dataset: %s: %w", s.attributes, err))
		}
	}
}

func (s *s3rec) eachMember(in io.Reader, yield func(Item, error) bool) error {
	bounded := &memberReader{in: in, max: int64(s.opts.MaxRowBytes)}
	d := json.NewDecoder(bounded)
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return fmt.Errorf("must be one JSON object of items, begins with %v (%v)", first, err)
	}
	for row := int64(1); d.More(); row++ {
		bounded.used = d.InputOffset()
		item, err := decodeMember(d)
		var rowErr *RowError
		if errors.As(err, &rowErr) {
			if _, more := yieldError(yield, s.attributes, row, rowErr); !more {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", row, err)
		}
		if !yield(item, nil) {
			return nil
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("the object does not end: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text after the object")
	}
	return nil
}

func decodeMember(d *json.Decoder) (Item, error) {
	key, err := d.Token()
	if err != nil {
		return Item{}, err
	}
	var attributes []uint32
	err = d.Decode(&attributes)
	var wrong *json.UnmarshalTypeError
	id, _ := key.(string) // the decoder allows nothing else as a key
	switch {
	case errors.As(err, &wrong):
		return Item{}, bad(id, "", "must be a list of attribute numbers, holds a JSON %s", wrong.Value)
	case err != nil:
		return Item{}, err
	case id == "" || strings.ContainsRune(id, utf8.RuneError):
		return Item{}, bad("", id, "item id must be valid UTF-8 and not empty")
	}
	item := Item{ID: id}
	for _, a := range attributes {
		item.Tags = append(item.Tags, fmt.Sprintf("a%d", a))
	}
	return item, nil
}

// memberReader bounds what the decoder may take in for one member: a file of one endless list must not fill the memory.
type memberReader struct {
	in         io.Reader
	read, used int64 // bytes taken in, and consumed by whole members
	max        int64
}

func (r *memberReader) Read(p []byte) (int, error) {
	if r.read-r.used > r.max+decoderAhead {
		return 0, fmt.Errorf("%w: an item takes more than %d bytes; raise MaxRowBytes", ErrLimit, r.max)
	}
	n, err := r.in.Read(p)
	r.read += int64(n)
	return n, err
}

// decoderAhead allows for what the decoder reads ahead of the member at hand.
const decoderAhead = 64 << 10
