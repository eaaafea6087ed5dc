package auth

import (
	"fmt"
	"net"
)

// Loopback reports whether an address, HOST:PORT, can be reached from this machine alone:
// then it may be served without keys.
func Loopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("address %q: %w: give HOST:PORT, such as 127.0.0.1:7700", addr, err)
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}
