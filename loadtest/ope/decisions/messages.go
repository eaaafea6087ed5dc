package decisions

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// maxMessageBytes bounds one JSON message. The server's are far smaller.
const maxMessageBytes = 64 << 20

// eachMessage hands on the JSON values of a file one by one, with the line on which each ends.
func eachMessage(path string, visit func(line int64, message json.RawMessage) error) error {
	in, err := dataset.OpenFile(path)
	if err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	defer in.Close()
	count := &lineCounter{in: bufio.NewReaderSize(in, 1<<16), budget: maxMessageBytes}
	d := json.NewDecoder(count)
	for {
		var message json.RawMessage
		err := d.Decode(&message)
		if err == io.EOF {
			return nil
		}
		line := count.at(d.InputOffset())
		if err != nil {
			return fmt.Errorf("decisions: %s: behind the message that ends on line %d: %w", path, line, err)
		}
		count.budget = maxMessageBytes
		if err := visit(line, message); err != nil {
			return err
		}
	}
}

// lineCounter remembers where lines end, until that is asked.
type lineCounter struct {
	in     io.Reader
	read   int64   // bytes handed out
	breaks []int64 // offsets of line breaks behind the last that was asked for
	line   int64   // breaks before those
	budget int64   // bytes that may be read before a message ends
}

func (c *lineCounter) Read(p []byte) (int, error) {
	if c.budget <= 0 {
		return 0, fmt.Errorf("a message is longer than %d bytes", int64(maxMessageBytes))
	}
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.breaks = append(c.breaks, c.read+int64(i))
		}
	}
	c.read, c.budget = c.read+int64(n), c.budget-int64(n)
	return n, err
}

// at gives the 1-based line of an offset, which must not be before the last one asked for.
func (c *lineCounter) at(offset int64) int64 {
	passed := 0
	for passed < len(c.breaks) && c.breaks[passed] < offset {
		passed++
	}
	c.breaks, c.line = append(c.breaks[:0], c.breaks[passed:]...), c.line+int64(passed)
	return c.line + 1
}

// hasField reports whether a JSON object has a field: an export message has a list where a single row has none.
func hasField(message json.RawMessage, name string) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(message, &fields) != nil {
		return false
	}
	_, ok := fields[name]
	return ok
}
