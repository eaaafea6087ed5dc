package main

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/config"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/service"
)

// boundFlags are the limits that a service may set below those of the wire contract, which are their defaults.
type boundFlags struct {
	MaxRows        int         `default:"1000" min:"1" max:"1000" group:"Limits of requests" help:"Rows or events of one call, and of one message of a stream."`
	MaxList        int         `default:"1000" min:"1" max:"1000" group:"Limits of requests" help:"Items of a list, and of all rows of a page together."`
	MaxCandidates  int         `default:"10000" min:"1" max:"10000" group:"Limits of requests" help:"Items of one RankItems."`
	MaxContext     int         `default:"100" min:"1" max:"100" group:"Limits of requests" help:"Context items of one request."`
	MaxExclude     int         `default:"1000" min:"1" max:"1000" group:"Limits of requests" help:"Excluded items of one request."`
	MaxPage        int         `default:"1000" min:"1" max:"1000" group:"Limits of requests" help:"Rows of one page of a listing."`
	MaxSearchText  config.Size `default:"1KiB" min:"1B" max:"1KiB" group:"Limits of requests" help:"Text of one search."`
	CallPermits    []string    `default:"rank=512:1s,write=1024:5s,read=1024,scan=32" placeholder:"CLASS=MOST[:TARGET],..." group:"Limits of requests" help:"Calls of each tenant under way at once, by class: rank (lists but those of Recommend, which has permits), write (rows, events, profiles), read (a row, a page), scan (exports, bulk lists, evaluations). With a target the number falls, to a sixteenth at least, while more than a tenth of the calls take longer, and rises again up to MOST. Those beyond are refused. 0, or a class that is not named: no bound."`
	MaxAttributes  int         `default:"64" min:"1" max:"64" group:"Limits of rows" help:"Attributes of an item."`
	MaxElements    int         `default:"64" min:"1" max:"64" group:"Limits of rows" help:"Elements of a list attribute."`
	MaxString      config.Size `default:"1KiB" min:"1B" max:"1KiB" group:"Limits of rows" help:"One string attribute."`
	MaxDescription config.Size `default:"64KiB" min:"1B" max:"64KiB" group:"Limits of rows" help:"The description of an item."`
	MaxComment     config.Size `default:"8KiB" min:"1B" max:"8KiB" group:"Limits of rows" help:"The comment or search text of an event."`
}

// check says what no range of one flag tells.
func (b *boundFlags) check() error {
	if _, err := limit.Parse(b.CallPermits, api.CallClasses); err != nil {
		return fmt.Errorf("call-permits: %w", err)
	}
	return nil
}

// put hands the flags, which were checked, to a service.
func (b *boundFlags) put(c *service.Config) {
	c.Permits, _ = limit.Parse(b.CallPermits, api.CallClasses)
	c.Bounds = api.Bounds{
		Rows: b.MaxRows, List: b.MaxList, Candidates: b.MaxCandidates, Context: b.MaxContext, Exclude: b.MaxExclude, Page: b.MaxPage,
		SearchText: int(b.MaxSearchText), Attributes: b.MaxAttributes, Elements: b.MaxElements, String: int(b.MaxString),
		Description: int(b.MaxDescription), Comment: int(b.MaxComment),
	}
}

// connectionFlags say how long callers and their connections may take.
type connectionFlags struct {
	ReadTimeout       time.Duration `default:"15s" min:"100ms" max:"10m" group:"Limits of the network" help:"How long the HTTP port waits for each part of a body, and for a client to take each part of an answer. The whole body of a call that is no stream may take four times as long, and so may the message of such a call of the gRPC port; then it ends with DEADLINE_EXCEEDED."`
	KeepaliveEvery    time.Duration `default:"1m" min:"1s" max:"24h" group:"Limits of the network" help:"How long a gRPC connection may be silent before it is asked whether it lives."`
	KeepaliveAnswer   time.Duration `default:"20s" min:"1s" max:"1h" group:"Limits of the network" help:"How long that answer may take before the connection is closed."`
	KeepaliveLeast    time.Duration `default:"5s" min:"1s" max:"24h" group:"Limits of the network" help:"How often a client may ask the same, with calls or without; the connection of one that asks more often is closed (ENHANCE_YOUR_CALM)."`
	MaxConnectionIdle time.Duration `default:"30m" zero:"" min:"1s" max:"8760h" group:"Limits of the network" help:"How long a gRPC connection without calls is kept; the client's next call opens another. 0: for ever."`
	MaxConnectionAge  time.Duration `default:"0s" zero:"" min:"10s" max:"8760h" group:"Limits of the network" help:"How long a gRPC connection lives, a tenth more or less, so that clients spread anew over several services. 0: for ever."`
	ConnectionGrace   time.Duration `default:"1m" min:"1s" max:"8760h" group:"Limits of the network" help:"How long calls under way may take at max-connection-age."`
}

// put hands them to a service.
func (f *connectionFlags) put(c *service.Config) {
	c.ReadTimeout = f.ReadTimeout
	c.Keepalive = service.Keepalive{
		Every: f.KeepaliveEvery, Answer: f.KeepaliveAnswer, Least: f.KeepaliveLeast, Idle: f.MaxConnectionIdle,
		Age: f.MaxConnectionAge, Grace: f.ConnectionGrace,
	}
}
