package tenants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// lead is how long the flood goes on before the neighbour's half begins, and about how long after it.
const lead = time.Second

// floodFor is how long a flood lasts.
func (o *Options) floodFor() time.Duration { return lead + warmUpOf(o.Half) + o.Half + lead }

// flood calls for the hostile tenant from a process of its own: in the neighbour's, the runtime of the client would let calls of
// one wait for those of the other, and that would count as the server's. Where the system has nice, it is of the lowest
// priority: a hostile client would be on another machine, and what it takes of this one's processors is not the question.
func (t *trial) flood(ctx context.Context, seed uint64) (*load.Step, error) {
	o := &t.options
	args := append(o.Client[1:len(o.Client):len(o.Client)], "--addr", t.server.GRPC, "--mode", "rate", "--rate", fmt.Sprint(o.Quota*o.Times),
		"--duration", o.floodFor().String(), "--warm-up", "0s", "--mix", "recommend=1", "--users", fmt.Sprint(users),
		"--in-flight", fmt.Sprint(inFlight), "--connections", fmt.Sprint(connections), "--seed", fmt.Sprint(seed), "--empty", "0", "--json")
	program := o.Client[0]
	if nice, err := exec.LookPath("nice"); err == nil {
		program, args = nice, append([]string{"-n", "19", program}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "KINDRED_KEY="+t.hostileKey)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("tenants: the flood's client: %w: %.500s", err, log.String())
	}
	var result load.Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil || result.Step == nil {
		return nil, fmt.Errorf("tenants: the flood's client does not tell what it did: %v: %.500s", err, out.String())
	}
	return result.Step, nil
}
