package main

import (
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/server/encoder"
	"github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/shop"
)

// openUsers prepares the workers that make users' vectors when another model serves: those
// of --embed-histories-addr, or else of --embed-addr, which need not do so. It waits for
// none. Without any it returns nil, and a close that does nothing.
func (c *serveCommand) openUsers() (users shop.UserEncoder, done func() error, err error) {
	addrs, optional := c.EmbedHistoriesAddr, false
	if len(addrs) == 0 && c.Encoder == encoder.Remote {
		addrs, optional = c.EmbedAddr, true
	}
	if len(addrs) == 0 {
		return nil, func() error { return nil }, nil
	}
	config := remote.Config{Addrs: addrs, PlaintextKey: c.EmbedPlain}
	if config.Key, err = readToken(c.EmbedToken); err != nil {
		return nil, nil, err
	}
	if config.TLS, err = c.workerTLS(); err != nil {
		return nil, nil, err
	}
	client, err := histories.Dial(config)
	if err != nil {
		return nil, nil, err
	}
	return learned.Users{Client: client, Optional: optional}, client.Close, nil
}
