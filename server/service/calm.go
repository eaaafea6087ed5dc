package service

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"
)

// calmer slows down whoever goes on after a refusal: the next read of its connection waits. What comes meanwhile lies in the
// system's buffers and is then answered together, which costs a small part of what one wake for each call costs; past the
// buffers, the caller waits as well. A connection on which others call too, as behind a proxy, is left alone.
type calmer struct {
	// pause is how long a read waits after a refusal; 0: not at all.
	pause time.Duration
}

// alone is how long ago another caller must have used a connection for its present one to be alone on it.
const alone = 10 * time.Second

// calmConn is a connection of the gRPC port. Of its fields, read and the tap handle use all but until from one goroutine, the
// connection's reader.
type calmConn struct {
	net.Conn
	addr calmAddr

	until atomic.Int64 // nanoseconds of the clock that nobody sets, since began; 0: read at once

	caller  string // of the last call
	another int64  // when a call of another than the one before it came last
}

// calmAddr is the address of a connection's other end, by which a call finds its connection.
type calmAddr struct {
	net.Addr
	conn *calmConn
}

var began = time.Now()

// listener lets the calls of its connections be calmed.
func (c calmer) listener(l net.Listener) net.Listener {
	if c.pause == 0 {
		return l
	}
	return calmListener{l}
}

type calmListener struct{ net.Listener }

// Accept implements net.Listener.
func (l calmListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &calmConn{Conn: conn, another: -int64(alone)}
	c.addr = calmAddr{conn.RemoteAddr(), c}
	return c, nil
}

// RemoteAddr implements net.Conn.
func (c *calmConn) RemoteAddr() net.Addr { return &c.addr }

// Read waits for the end of a pause, then reads.
func (c *calmConn) Read(p []byte) (int, error) {
	if until := c.until.Load(); until != 0 {
		c.until.Store(0)
		time.Sleep(time.Duration(until) - time.Since(began)) // no longer than pause: who closes need not end it
	}
	return c.Conn.Read(p)
}

// note says whose call came on a connection, and whether it was refused.
func (c calmer) note(ctx context.Context, caller string, refused bool) {
	if c.pause == 0 {
		return
	}
	from, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	addr, ok := from.Addr.(*calmAddr)
	if !ok {
		return
	}
	conn := addr.conn
	if conn.caller != caller {
		if conn.caller != "" {
			conn.another = int64(time.Since(began))
		}
		conn.caller = caller
	}
	if refused && int64(time.Since(began))-conn.another >= int64(alone) {
		conn.until.Store(int64(time.Since(began) + c.pause))
	}
}
