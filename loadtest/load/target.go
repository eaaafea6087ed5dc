package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Target names a server and how to reach it.
type Target struct {
	// Addr is host:port.
	Addr string
	// Key is the API key, sent as "authorization: Bearer KEY". Empty: none.
	Key string
	// Connections is how many HTTP/2 connections share the calls, 1 to 1,024.
	Connections int
	// Timeout bounds each call, above 0.
	Timeout time.Duration
}

func (t Target) validate() error {
	if t.Addr == "" {
		return errors.New("load: no address; give --addr HOST:PORT")
	}
	if t.Connections < 1 || t.Connections > 1024 {
		return fmt.Errorf("load: %d connections: must be 1 to 1,024", t.Connections)
	}
	if t.Timeout <= 0 {
		return fmt.Errorf("load: timeout %v: must be above 0", t.Timeout)
	}
	return nil
}

// Client is a set of open connections to a server. Safe for concurrent use.
type Client struct {
	target Target
	conns  []*grpc.ClientConn
}

// Dial opens the connections and waits until each has answered an empty call, so that no run pays for a handshake. The
// caller closes the client.
func Dial(ctx context.Context, target Target) (*Client, error) {
	if err := target.validate(); err != nil {
		return nil, err
	}
	c := &Client{target: target}
	for range target.Connections {
		conn, err := grpc.NewClient("passthrough:///"+target.Addr,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDisableRetry(), // a retry would hide an error and double a call
			grpc.WithDisableServiceConfig(),
			grpc.WithUserAgent("kindred-loadtest"),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wireCodec{}), grpc.MaxCallRecvMsgSize(16<<20)),
		)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load: dial %s: %w", target.Addr, err), c.Close())
		}
		c.conns = append(c.conns, conn)
	}
	if err := c.awaken(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// reconnect is how soon a lost connection is tried again: at most a second after the server is back, as gRPC's own backoff of
// up to two minutes would be taken for the server's.
var reconnect = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}

func (c *Client) awaken(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(c.authorize(ctx), max(c.target.Timeout, 5*time.Second))
	defer cancel()
	for i := range c.conns {
		if err := c.check(ctx, i); err != nil {
			return fmt.Errorf("load: no server answers at %s: %s", c.target.Addr, status.Convert(err).Message())
		}
	}
	return nil
}

// authorize adds the key to the calls made under the context.
func (c *Client) authorize(ctx context.Context) context.Context {
	if c.target.Key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.target.Key)
}

// Conn is one of the connections, for the generated clients. Calls over it carry the key.
func (c *Client) Conn() grpc.ClientConnInterface { return keyed{c} }

// Close ends the connections.
func (c *Client) Close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// keyed puts the key on calls of the generated clients and spreads nothing: one connection is plenty for them.
type keyed struct{ c *Client }

func (k keyed) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return k.c.conns[0].Invoke(k.c.authorize(ctx), method, args, reply, opts...)
}

func (k keyed) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return k.c.conns[0].NewStream(k.c.authorize(ctx), desc, method, opts...)
}

// Item is what the generator knows of a catalog row.
type Item struct{ ID, Title string }

// Items reads up to max items of the server's catalog, in the order of their ids.
func (c *Client) Items(ctx context.Context, max int) ([]Item, error) {
	catalog := kindredv1.NewCatalogServiceClient(c.Conn())
	var items []Item
	request := &kindredv1.ListItemsRequest{PageSize: 1000}
	for {
		page, err := catalog.ListItems(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("load: list the catalog of %s: %w", c.target.Addr, err)
		}
		for _, it := range page.Items {
			if len(items) == max {
				return items, nil
			}
			items = append(items, Item{it.Id, it.Title})
		}
		if page.NextPageToken == "" {
			return items, nil
		}
		request.PageToken = page.NextPageToken
	}
}
