package remote

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config says how a client reaches its workers. The zero value of a field means its
// default.
type Config struct {
	// Addrs are the workers, as host:port, or as gRPC names them ("dns:///worker:50061").
	// At least one, at most 256, none twice.
	Addrs []string

	// Model, where it is given, is the only one that is accepted. Not given: that of
	// the first worker that answers.
	Model string

	// Key is sent as a bearer token. Empty: none.
	Key string
	// TLS encrypts and authenticates the workers. Nil: plain text, over which a Key
	// goes to loopback addresses alone unless PlaintextKey says that the network is
	// trusted.
	TLS          *tls.Config
	PlaintextKey bool

	// Timeout bounds one try of one request in a worker. Default 30 s. The caller's own
	// deadline holds beside it.
	Timeout time.Duration
	// Attempts bounds the tries for one request, over all workers. Default 4, at most 100.
	Attempts int
	// Parallel bounds the requests that one call of Encode has under way. Default 4, at
	// most 1,024.
	Parallel int
	// Patience is how long EncodeAll goes on while no worker answers. Default 30 s.
	Patience time.Duration

	// BreakerFailures in a row close a worker off, for BreakerPause and then twice as long
	// each time, up to a minute. Default 5 and 500 ms.
	BreakerFailures int
	BreakerPause    time.Duration

	// Seed decides the jitter of pauses and ties between workers, nothing else.
	Seed uint64
}

const longestBreakerPause = time.Minute

func (c Config) resolve() (Config, error) {
	if len(c.Addrs) < 1 || len(c.Addrs) > 256 {
		return c, fmt.Errorf("%w: %d Addrs; want 1 to 256", ErrConfig, len(c.Addrs))
	}
	seen := map[string]bool{}
	for _, addr := range c.Addrs {
		if addr == "" || seen[addr] {
			return c, fmt.Errorf("%w: Addrs hold %q twice, or empty", ErrConfig, addr)
		}
		seen[addr] = true
		if c.Key != "" && c.TLS == nil && !c.PlaintextKey && !loopback(addr) {
			return c, fmt.Errorf("%w: Key would go to %s in plain text: set TLS, or PlaintextKey if the network is trusted", ErrConfig, addr)
		}
	}
	for _, d := range []struct {
		name      string
		value     *time.Duration
		otherwise time.Duration
	}{
		{"Timeout", &c.Timeout, 30 * time.Second},
		{"Patience", &c.Patience, 30 * time.Second},
		{"BreakerPause", &c.BreakerPause, 500 * time.Millisecond},
	} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
		if *d.value < 0 || *d.value > 24*time.Hour {
			return c, fmt.Errorf("%w: %s is %v; want up to 24h, or 0 for the default", ErrConfig, d.name, *d.value)
		}
	}
	for _, n := range []struct {
		name               string
		value              *int
		otherwise, largest int
	}{
		{"Attempts", &c.Attempts, 4, 100},
		{"Parallel", &c.Parallel, 4, 1024},
		{"BreakerFailures", &c.BreakerFailures, 5, 1000},
	} {
		if *n.value == 0 {
			*n.value = n.otherwise
		}
		if *n.value < 1 || *n.value > n.largest {
			return c, fmt.Errorf("%w: %s is %d; want 1 to %d, or 0 for the default", ErrConfig, n.name, *n.value, n.largest)
		}
	}
	return c, nil
}

// loopback reports whether an address is surely on this machine.
func loopback(addr string) bool {
	addr = strings.TrimPrefix(addr, "passthrough:///")
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
