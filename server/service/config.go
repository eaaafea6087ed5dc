package service

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/learned"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/telemetry"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// Config is what a service runs with.
type Config struct {
	// Data is the directory of the store; it is made if it does not exist.
	Data string
	// GRPC is the address of the gRPC port, such as "127.0.0.1:7700".
	GRPC string
	// HTTP is the address of gRPC-Web, JSON and health, and of metrics if it is on loopback and
	// Ops is empty. Empty: none.
	HTTP string
	// Ops is the address of metrics and, if it is on loopback, of Go's profiles. Empty: none.
	Ops string
	// Origins are the web origins whose pages may call the HTTP port (CORS), such as
	// "https://shop.example". Empty: none. Whatever else bears an origin is refused.
	Origins []string
	// Quotas bound what tenants and keys may ask. Zero: nothing but keys of role browser,
	// which have DefaultBrowserQuota.
	Quotas quota.Settings
	// TLS encrypts the gRPC and the HTTP port.
	TLS TLS
	// Plaintext lets the service listen beyond loopback without TLS: something before it
	// encrypts, or the network is trusted.
	Plaintext bool
	// Pprof is the address of Go's profiles, on loopback alone. Empty: none.
	Pprof string
	// MaxMessage bounds one message in bytes. Default 8 MiB.
	MaxMessage int
	// MaxStreams bounds the calls under way on one connection. Default 1,000.
	MaxStreams uint32
	// MaxConnections bounds the connections of each port; further ones wait in the kernel's
	// queue. Default 10,000.
	MaxConnections int
	// MaxPerHost bounds the connections of each port from one address; further ones are
	// closed at once. Default a quarter of MaxConnections.
	MaxPerHost int
	// Keepalive says when idle and dead connections of the gRPC port are ended.
	Keepalive Keepalive
	// Permits bound the calls of each tenant under way, by class of api.CallClasses. A class that is not named has no bound.
	Permits map[string]limit.Config
	// Bounds are limits of requests, within those of the wire contract.
	Bounds api.Bounds
	// ReadTimeout is how long the HTTP port waits for each part of a body, and for a client to
	// take each part of an answer; the whole body of a call that is no stream may take four
	// times as long, and so may the message of a unary call of the gRPC port. Default 15 s.
	ReadTimeout time.Duration
	// RefusalPause is how long a connection of the gRPC port is not read after a call on it was refused for a quota or its key,
	// where that key alone uses it. 0: not at all.
	RefusalPause time.Duration
	// DrainDelay is how long a stop waits between the end of readiness and the drain, for
	// balancers and clients to see it. Calls are served meanwhile. Default 0.
	DrainDelay time.Duration
	// Drain is how long calls under way may take to end at a stop. Default 10 s.
	Drain time.Duration
	// Trace says where traces go. Without an address nothing is traced.
	Trace telemetry.TraceConfig
	// OnlineWindow is how long after a list was served an event still counts as its outcome,
	// and OnlineLists about how many lists are remembered for it, at 24 bytes each. Defaults
	// 30 minutes and 262,144.
	OnlineWindow time.Duration
	OnlineLists  int
	// Store and Shop are passed on; their own defaults hold. Shop.Encoder is the
	// embedded one, Shop.Encoding.Bridge too where Shop.Encoder is slow, Shop.Index.Dir the folder "index" and
	// Shop.Models.Dir the folder "models" of Data where they are not given. The smaller MaxItems of the two holds for both: an item that the store
	// takes is served.
	Store store.Options
	Shop  shop.Config
	Log   *slog.Logger
	// EraseWithin is within which time of an erase its bytes leave the store's files, at
	// least a second. Default 1 h.
	EraseWithin time.Duration
	// Training says when tenants are trained; off where nothing is set. Its Dir is the folder
	// "training" of Data where none is given, and its Log is Log.
	Training schedule.Config
	// Reload reads the settings again for ReloadConfiguration. Nil: there are none. It may be called before Start returns and
	// while Stop waits, from several goroutines.
	Reload api.Reload
}

// DefaultBrowserQuota bounds each key of role browser: anybody can read and use it.
var DefaultBrowserQuota = record.Quota{Requests: 100, Events: 500, Bytes: 256 << 10}

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
	if c.MaxPerHost == 0 {
		c.MaxPerHost = max(1, c.MaxConnections/4)
	}
	c.Keepalive = c.Keepalive.withDefaults()
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 15 * time.Second
	}
	if c.EraseWithin == 0 {
		c.EraseWithin = defaultEraseWithin
	}
	c.EraseWithin = max(c.EraseWithin, time.Second)
	c.Quotas = withBrowser(c.Quotas)
	if c.OnlineWindow == 0 {
		c.OnlineWindow = 30 * time.Minute
	}
	if c.OnlineLists == 0 {
		c.OnlineLists = 1 << 18
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
