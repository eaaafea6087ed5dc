package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// permits and bound of the server that is overloaded: known, so that ten times as many is ten times as many.
const (
	permits = 4
	bound   = 16
)

func fewPermits(_ context.Context, w *world, row *Row) error {
	row.Way = fmt.Sprintf("the server admits %d requests at once (--permits %d --bound %d); %d callers over 10 connections ask without a pause", bound, permits, bound, 10*bound)
	w.args = append(w.args, "--permits", fmt.Sprint(permits), "--bound", fmt.Sprint(bound))
	return nil
}

func overload(ctx context.Context, w *world, row *Row) error {
	crowd := newCalls()
	var mu sync.Mutex
	t := &traffic{}
	stop, cancel := context.WithTimeout(ctx, w.options.Hold)
	defer cancel()
	var callers sync.WaitGroup
	for range 10 {
		conn, err := w.dial()
		if err != nil {
			return err
		}
		defer conn.Close()
		asks := kindredv1.NewRecommendationServiceClient(conn)
		for range bound {
			callers.Go(func() {
				one := &traffic{asks: asks}
				for n := 0; stop.Err() == nil; n++ {
					began := time.Now()
					tier, err := one.ask(ctx, n)
					mu.Lock()
					t.note(&crowd, began, tier, err)
					mu.Unlock()
				}
			})
		}
	}
	callers.Wait()
	row.over = time.Now()
	row.note("the crowd: %s", crowd)
	for _, code := range crowd.unexcused(full...) {
		row.Process = failed("the crowd is answered " + code + ": " + crowd.Example)
	}
	return nil
}

const connectionsTaken = 64

func fewConnections(_ context.Context, w *world, row *Row) error {
	row.Way = fmt.Sprintf("the server takes %d connections a port (--max-connections); 10 times as many are opened on each and held", connectionsTaken)
	w.args = append(w.args, "--max-connections", fmt.Sprint(connectionsTaken))
	return nil
}

func flood(ctx context.Context, w *world, row *Row) error {
	var open []net.Conn
	defer func() { closeAll(open) }()
	refused := 0
	for _, addr := range []string{w.grpc, w.http} {
		for range 10 * connectionsTaken {
			conn, err := net.DialTimeout("tcp", addr, time.Second)
			if err != nil {
				refused++
				continue
			}
			open = append(open, conn)
		}
	}
	pause(ctx, w.options.Hold)
	held := stillOpen(open)
	row.note("%d opened, %d refused by the kernel, %d still open after %v; the process has %d descriptors", len(open), refused, held, w.options.Hold, descriptors(w.server))
	closeAll(open)
	row.over = time.Now()
	conn, err := w.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	fresh := &traffic{asks: kindredv1.NewRecommendationServiceClient(conn)}
	for end := time.Now().Add(longestRecovery); ; pause(ctx, 50*time.Millisecond) {
		one, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := fresh.ask(one, 1)
		cancel()
		if err == nil {
			row.note("a new connection is answered %.2f s after the flood", time.Since(row.over).Seconds())
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			row.Process = failed("takes no new connection after the flood: " + err.Error())
			return nil
		}
	}
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close() // what they were for is over
	}
}

// stillOpen counts the connections that the other side has not closed.
func stillOpen(conns []net.Conn) (n int) {
	b := make([]byte, 4096)
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // an error shows at the read
		var err error
		for err == nil {
			_, err = c.Read(b)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n++
		}
	}
	return n
}

// descriptors counts the open files of a process; 0 where the system does not say.
func descriptors(p *process) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	return len(entries)
}

// dawdlers is how many slow callers there are on each port.
const dawdlers = 100

func slowLoris(ctx context.Context, w *world, row *Row) error {
	wait := max(4*w.options.Hold, 15*time.Second) // longer than the ports let a greeting take
	row.Way = fmt.Sprintf("%d callers on each port send a byte of a request each half second, for %v", dawdlers, wait)
	ports := []struct{ name, addr, text string }{
		{"gRPC", w.grpc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"HTTP", w.http, "POST /kindred.v1.RecommendationService/Recommend HTTP/1.1\r\nHost: shop\r\nX-Slow: yes\r\n"},
	}
	sets := make([][]net.Conn, len(ports))
	for i, p := range ports {
		for range dawdlers {
			conn, err := net.DialTimeout("tcp", p.addr, 2*time.Second)
			if err != nil {
				return fmt.Errorf("faults: slow callers: %w", err)
			}
			sets[i] = append(sets[i], conn)
		}
		defer closeAll(sets[i])
	}
	for n, end := 0, time.Now().Add(wait); time.Now().Before(end) && ctx.Err() == nil; n++ {
		for i, p := range ports {
			for _, conn := range sets[i] {
				_, _ = io.WriteString(conn, p.text[n%len(p.text):n%len(p.text)+1]) // it may be closed, which is the point
			}
		}
		pause(ctx, 500*time.Millisecond)
	}
	for i, p := range ports {
		held := stillOpen(sets[i])
		row.note("%s port: %d of %d still open after %v", p.name, held, dawdlers, wait)
		if held > 0 {
			row.Process = failed(fmt.Sprintf("the %s port keeps %d callers that have sent no whole request in %v", p.name, held, wait))
		}
	}
	row.over = time.Now()
	return nil
}

// stalledReaders ask for much and read nothing.
func stalledReaders(ctx context.Context, w *world, row *Row) error {
	const readers = 20
	row.Way = fmt.Sprintf("%d streams of ExportEvents, and %d of StreamEvents whose answers are not read, on connections of their own", readers, readers)
	before := descriptors(w.server)
	held, cancel := context.WithCancel(ctx)
	defer cancel()
	var acked atomic.Int64
	var senders sync.WaitGroup
	for range readers {
		conn, err := w.dial()
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := kindredv1.NewAdminServiceClient(conn).ExportEvents(held, &kindredv1.ExportEventsRequest{}); err != nil {
			return fmt.Errorf("faults: a stream to stall: %w", err)
		}
		stream, err := kindredv1.NewEventServiceClient(conn).StreamEvents(held)
		if err != nil {
			return fmt.Errorf("faults: a stream to stall: %w", err)
		}
		senders.Go(func() {
			for range 2000 { // until flow control stops it
				_, events := w.ledger.batch(1)
				if stream.Send(&kindredv1.StreamEventsRequest{Events: events}) != nil {
					return
				}
				acked.Add(1)
			}
		})
	}
	pause(ctx, 2*w.options.Hold)
	row.note("%d events were taken from callers who read no answer; resident memory %.0f MB, descriptors %d (%d before)",
		acked.Load(), resident(w.server), descriptors(w.server), before)
	row.over = time.Now()
	cancel()
	senders.Wait()
	return nil
}
