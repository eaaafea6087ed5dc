package service

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// Config is what a service runs with.
type Config struct {
	// Data is the directory of the store; it is made if it does not exist.
	Data string
	// GRPC is the address of the gRPC port, such as "127.0.0.1:7700".
	GRPC string
	// HTTP is the address of health and metrics. Empty: none.
	HTTP string
	// Pprof is the address of Go's profiles, on loopback alone. Empty: none.
	Pprof string
	// MaxMessage bounds one message in bytes. Default 8 MiB.
	MaxMessage int
	// MaxStreams bounds the calls under way on one connection. Default 1,000.
	MaxStreams uint32
	// MaxConnections bounds connections. Default 10,000.
	MaxConnections int
	// Drain is how long calls under way may take to end at a stop. Default 10 s.
	Drain time.Duration
	// Store and Shop are passed on; their own defaults hold. Shop.Encoder is the
	// embedded one, Shop.Encoding.Bridge too where Shop.Encoder is slow, Shop.Index.Dir the folder "index" and
	// Shop.Models.Dir the folder "models" of Data where they are not given. The smaller MaxItems of the two holds for both: an item that the store
	// takes is served.
	Store store.Options
	Shop  shop.Config
	Log   *slog.Logger
	// Training says when tenants are trained; off where nothing is set. Its Dir is the folder
	// "training" of Data where none is given, and its Log is Log.
	Training schedule.Config
}

// defaultMaxItems bounds the items of a tenant.
const defaultMaxItems = 1 << 20

func (c Config) withDefaults() Config {
	if c.MaxMessage == 0 {
		c.MaxMessage = 8 << 20
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 1000
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 10_000
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Shop.MaxItems == 0 {
		c.Shop.MaxItems = defaultMaxItems
	}
	if c.Shop.Index.Dir == "" {
		c.Shop.Index.Dir = indexDir(c.Data)
	}
	if c.Shop.Models.Dir == "" {
		c.Shop.Models.Dir = ModelsDir(c.Data)
	}
	if c.Shop.Models.Load == nil {
		c.Shop.Models.Load = learned.Load
	}
	c.Store.MaxItems = min(c.Store.MaxItems, c.Shop.MaxItems)
	c.Shop.MaxItems = c.Store.MaxItems
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Training.Dir == "" {
		c.Training.Dir = filepath.Join(c.Data, "training")
	}
	c.Training.Log = c.Log
	return c
}
