package service

import (
	"net"
	"sync"

	"golang.org/x/net/netutil"
)

// limit bounds the connections of a port, in all and from one address.
func (s *Service) limit(l net.Listener) net.Listener {
	return &hostListener{
		Listener: netutil.LimitListener(l, s.config.MaxConnections), max: s.config.MaxPerHost, open: map[string]int{},
	}
}

// hostListener closes connections beyond max from one address, so that one caller cannot
// hold all places.
type hostListener struct {
	net.Listener
	max int

	mu   sync.Mutex
	open map[string]int // by address; none is 0
}

// Accept returns the next connection that is within the bound.
func (l *hostListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := hostOf(conn)
		if l.enter(host) {
			return &hostConn{Conn: conn, leave: func() { l.leave(host) }}, nil
		}
		conn.Close() // whoever is beyond the bound is told no more
	}
}

func (l *hostListener) enter(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[host] >= l.max {
		return false
	}
	l.open[host]++
	return true
}

func (l *hostListener) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[host]--; l.open[host] == 0 {
		delete(l.open, host)
	}
}

type hostConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes the connection and gives its place back.
func (c *hostConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}

// hostOf is the address of a connection's other end, without its port.
func hostOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}
