package faults

import "context"

// Serving is a server process that another test starts, over a directory of its own.
type Serving struct {
	// GRPC and HTTP are the addresses of its ports.
	GRPC, HTTP string

	process *process
}

// Serve starts a server's program and waits until it serves. The caller stops it.
func Serve(ctx context.Context, program, data string, args ...string) (*Serving, error) {
	p, err := spawn(program, append([]string{"serve", "--data", data, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...), nil)
	if err != nil {
		return nil, err
	}
	s := &Serving{process: p}
	if s.GRPC, s.HTTP, err = p.ports(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return s, nil
}

// PID is the number of its process.
func (s *Serving) PID() int { return s.process.command.Process.Pid }

// Stop ends it in order; one that does not end within a minute is killed, which is an error.
func (s *Serving) Stop() error { return s.process.stop() }

// Ended says whether it ended unasked, and its last words, a panic first.
func (s *Serving) Ended() (words string, ended bool) {
	return orLast(s.process.log.panicked(), s.process.log.last()), !s.process.isUp() && !s.process.asked
}

// Log is what it wrote, first and last parts.
func (s *Serving) Log() string { return s.process.log.String() }

// Kill ends it at once, as SIGKILL does.
func (s *Serving) Kill() { s.process.kill() }
