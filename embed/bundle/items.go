package bundle

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxItemID is how long an item's id may be, in bytes.
const maxItemID = 128

// WriteItems writes ids of items, one a line, in their order.
func WriteItems(w io.Writer, ids []string) error {
	out := bufio.NewWriter(w)
	for i, id := range ids {
		if err := checkItem(id); err != nil {
			return fmt.Errorf("%w: item %d: %w", ErrInvalid, i, err)
		}
		out.WriteString(id) // the first error sticks and Flush returns it
		out.WriteByte('\n')
	}
	return out.Flush()
}

// ReadItems reads at most most ids. An id that stands there twice is refused: it would
// have two rows.
func ReadItems(r io.Reader, most int) ([]string, error) {
	var ids []string
	seen := map[string]struct{}{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4<<10), 4<<10)
	for lines.Scan() {
		id := lines.Text()
		if err := checkItem(id); err != nil {
			return nil, damaged(ErrManifest, "%s, line %d: %v", ItemsFile, len(ids)+1, err)
		}
		if _, ok := seen[id]; ok {
			return nil, damaged(ErrManifest, "%s, line %d: item %q stands there twice", ItemsFile, len(ids)+1, id)
		}
		if len(ids) == most {
			return nil, fmt.Errorf("%w: %s lists more than %d items", ErrLimit, ItemsFile, most)
		}
		seen[id] = struct{}{}
		ids = append(ids, id)
	}
	if err := lines.Err(); err != nil {
		return nil, damaged(ErrManifest, "%s, line %d: %v", ItemsFile, len(ids)+1, err)
	}
	return ids, nil
}

func checkItem(id string) error {
	if id == "" || len(id) > maxItemID || !utf8.ValidString(id) ||
		strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%.40q is no item id: 1 to %d bytes of UTF-8 without control characters are taken", id, maxItemID)
	}
	return nil
}
