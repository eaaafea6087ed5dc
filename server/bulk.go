package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type bulkCommand struct {
	clientFlags
	Out      string        `required:"" type:"path" placeholder:"FILE" help:"Where the lists go, a line of JSON each. Beside it, FILE.cursor says how far it is."`
	Users    string        `type:"existingfile" placeholder:"FILE" xor:"whom" help:"User ids, a line each. Not set: the users of the segment below, all where it is empty."`
	Active   time.Duration `xor:"whom" placeholder:"DURATION" help:"Who acted so lately, such as 720h."`
	Acts     int32         `placeholder:"COUNT" help:"Who acted so often at least."`
	Items    []string      `placeholder:"ID" help:"Who acted on one of these items."`
	ActedOn  string        `placeholder:"CEL" help:"Who acted on an item that this filter lets pass."`
	Surface  string        `help:"Surface that the lists are for."`
	Policy   string        `help:"Policy in place of the surface's."`
	Filter   string        `placeholder:"CEL" help:"Items that may be in the lists."`
	Limit    int32         `help:"Items of a list. 0: the surface's."`
	Seed     uint64        `help:"Makes the lists repeatable. 0: drawn."`
	Continue bool          `help:"Go on where FILE.cursor says."`
}

// Help is what `bulk --help` says beyond its flags.
func (bulkCommand) Help() string {
	return `The service makes the lists when it has nothing else to do. What was interrupted goes on
with --continue and the same flags.

Examples:
  kindred bulk --out mail.jsonl --active 720h --surface mail --limit 5 --addr 127.0.0.1:50051
  kindred bulk --out mail.jsonl --users ids.txt --continue --addr 127.0.0.1:50051`
}

// Run writes lists for many.
func (c *bulkCommand) Run(ctx context.Context) error {
	ask := &kindredv1.RecommendBulkRequest{Request: &kindredv1.RecommendRequest{
		Surface: c.Surface, Policy: c.Policy, Filter: c.Filter, Limit: c.Limit, Seed: c.Seed,
	}}
	if err := c.whom(ask); err != nil {
		return fmt.Errorf("bulk: %w", err)
	}
	out, err := c.open(ask)
	if err != nil {
		return fmt.Errorf("bulk: %w", err)
	}
	b := &bulkRun{command: c, out: out, lines: bufio.NewWriter(out)}
	err = c.with(ctx, "bulk", func(ctx context.Context, conn *grpc.ClientConn) error {
		return b.run(ctx, kindredv1.NewRecommendationServiceClient(conn), ask)
	})
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Remove(c.cursorFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bulk: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"file": c.Out, "lists": b.lists, "visited": b.visited})
	}
	fmt.Printf("%d lists are in %s\n", b.lists, c.Out)
	return nil
}

// whom fills in who is asked for.
func (c *bulkCommand) whom(ask *kindredv1.RecommendBulkRequest) error {
	if c.Users == "" {
		ask.Segment = &kindredv1.Segment{MinEvents: c.Acts, ItemIds: c.Items, Filter: c.ActedOn}
		if c.Active > 0 {
			// To the day, so that a call that goes on tomorrow is about the same people.
			ask.Segment.ActiveSince = timestamppb.New(time.Now().Add(-c.Active).Truncate(24 * time.Hour))
		}
		return nil
	}
	if c.Acts != 0 || len(c.Items) > 0 || c.ActedOn != "" {
		return errors.New("--users and a segment contradict each other: give one of them")
	}
	raw, err := os.ReadFile(c.Users)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		if id := strings.TrimSpace(line); id != "" {
			ask.Subjects = append(ask.Subjects, &kindredv1.Subject{UserId: id})
		}
	}
	if len(ask.Subjects) == 0 {
		return fmt.Errorf("%s names nobody: give a user id a line", c.Users)
	}
	return nil
}

func (c *bulkCommand) cursorFile() string { return c.Out + ".cursor" }

// bulkState is what the cursor's file has.
type bulkState struct {
	Cursor string `json:"cursor"`
	Bytes  int64  `json:"bytes"` // of the lists before it
	// Since is when the segment's users have acted, unix seconds; 0: whenever.
	Since int64 `json:"active_since,omitempty"`
}

// open opens the file of lists, where it is to go on.
func (c *bulkCommand) open(ask *kindredv1.RecommendBulkRequest) (*os.File, error) {
	if !c.Continue {
		f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s exists: go on with --continue, remove it, or name another", c.Out)
		}
		return f, err
	}
	raw, err := os.ReadFile(c.cursorFile())
	if err != nil {
		return nil, fmt.Errorf("nothing to go on from: %w", err)
	}
	var state bulkState
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, fmt.Errorf("%s: %w", c.cursorFile(), err)
	}
	ask.Cursor = state.Cursor
	if ask.Segment != nil && state.Since != 0 {
		ask.Segment.ActiveSince = &timestamppb.Timestamp{Seconds: state.Since}
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// What was written after the cursor comes again.
	if err := f.Truncate(state.Bytes); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	_, err = f.Seek(state.Bytes, io.SeekStart)
	return f, err
}

// bulkRun writes the lists of one call.
type bulkRun struct {
	command        *bulkCommand
	out            *os.File
	lines          *bufio.Writer
	lists, visited int64
}

// run makes calls until there is no more.
func (b *bulkRun) run(ctx context.Context, client kindredv1.RecommendationServiceClient, ask *kindredv1.RecommendBulkRequest) error {
	show := term.IsTerminal(int(os.Stderr.Fd()))
	before := int64(0)
	for {
		stream, err := client.RecommendBulk(ctx, ask)
		if err != nil {
			return err
		}
		cursor := ""
		for {
			page, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if err := b.write(page, ask); err != nil {
				return err
			}
			cursor, b.visited = page.Cursor, before+page.Visited
			if show {
				_, _ = fmt.Fprintf(os.Stderr, "\r\x1b[K%d lists, %d people looked at", b.lists, b.visited)
			}
		}
		before = b.visited
		if show {
			_, _ = fmt.Fprint(os.Stderr, "\r\x1b[K")
		}
		if ask.Cursor = cursor; cursor == "" {
			return nil
		}
	}
}

// write adds lists to the file, and then says how far it is.
func (b *bulkRun) write(page *kindredv1.RecommendBulkResponse, ask *kindredv1.RecommendBulkRequest) error {
	for _, r := range page.Results {
		if err := printLine(b.lines, r); err != nil {
			return err
		}
		b.lists++
	}
	if page.Cursor == "" || len(page.Results) == 0 {
		return b.lines.Flush()
	}
	if err := errors.Join(b.lines.Flush(), b.out.Sync()); err != nil {
		return err
	}
	at, err := b.out.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	state := bulkState{Cursor: page.Cursor, Bytes: at}
	if since := ask.GetSegment().GetActiveSince(); since != nil {
		state.Since = since.Seconds
	}
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return writeWhole(b.command.cursorFile(), raw)
}

// writeWhole replaces a file, so that it is never half written.
func writeWhole(path string, raw []byte) error {
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
