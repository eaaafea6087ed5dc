package service

import (
	"net"

	"golang.org/x/net/netutil"
)

// limitConnections bounds the connections that are open at once; further ones wait
// in the kernel's queue.
func limitConnections(l net.Listener, n int) net.Listener { return netutil.LimitListener(l, n) }
