package schedule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Begin makes this process a child: it takes the lowest priority, and reads its key from the
// first line of what its parent writes. The context that is returned ends with that input,
// for then the parent is gone or wants it to. The goroutine that waits for it ends with the
// input or with the process; end lets it end the context no more.
func Begin(ctx context.Context, in io.Reader) (child context.Context, key string, end func(), err error) {
	if err := lowestPriority(); err != nil {
		return nil, "", nil, fmt.Errorf("taking the lowest priority: %w", err)
	}
	input := bufio.NewReader(io.LimitReader(in, 1<<10))
	line, err := input.ReadString('\n')
	if key = strings.TrimSpace(line); err != nil || key == "" {
		return nil, "", nil, errors.New("a child is started by a service, which writes a key to it: leave --child out")
	}
	child, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel(errParent)
	}()
	return child, key, func() { cancel(nil) }, nil
}

var errParent = errors.New("the service that trains has ended")
