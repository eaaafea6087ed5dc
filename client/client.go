package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// ErrOptions is wrapped by the errors of Dial that another Options would avoid.
var ErrOptions = errors.New("client options")

// Options say how a service is called. The zero value calls with TLS, trusts the system's
// authorities, and sends no key.
type Options struct {
	// Key is an API key, sent with each call. Empty: none, for a service open on loopback.
	Key string
	// TLS is the way's encryption: authorities, a certificate to show, a server name. Nil:
	// the system's authorities. TLS 1.2 is the least.
	TLS *tls.Config
	// Plaintext turns TLS off. With a key it is allowed to loopback addresses alone.
	Plaintext bool
	// Timeout bounds a call whose context has no deadline, tries and pauses together.
	// 0: 2 s. Streams have no default deadline.
	Timeout time.Duration
	// Attempts is how often a call may be tried in all, 1 to 5. 0: 4. 1: never again.
	Attempts int
	// Dial is added to the options of the connection, after ours.
	Dial []grpc.DialOption
}

// Client is a connection to a service and its stubs. Safe for concurrent use.
type Client struct {
	Recommendations kindredv1.RecommendationServiceClient
	Events          kindredv1.EventServiceClient // WriteEvents below also gives ids
	Catalog         kindredv1.CatalogServiceClient
	Profiles        kindredv1.ProfileServiceClient
	Policies        kindredv1.PolicyServiceClient
	Experiments     kindredv1.ExperimentServiceClient
	Models          kindredv1.ModelServiceClient
	Admin           kindredv1.AdminServiceClient

	conn *grpc.ClientConn
}

// Dial returns a client of the service at addr, "host:port" or any other target of gRPC.
// It does not wait for a connection, which is made with the first call. Close ends it.
// Errors wrap ErrOptions, or say what of the address gRPC does not understand.
func Dial(addr string, o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 4
	}
	if err := o.check(addr); err != nil {
		return nil, err
	}
	again := &repeater{attempts: o.Attempts}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(o.transport()),
		grpc.WithDefaultServiceConfig(serviceConfig(o.Attempts)),
		grpc.WithDisableServiceConfig(), // a name server has no say in what is repeated
		// By default a lost connection is tried ever more rarely, up to every two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithChainUnaryInterceptor(deadline(o.Timeout), again.unary),
	}
	if o.Key != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{key: o.Key, tls: !o.Plaintext}))
	}
	conn, err := grpc.NewClient(addr, append(options, o.Dial...)...)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	return newClient(conn), nil
}

func newClient(conn *grpc.ClientConn) *Client {
	return &Client{
		Recommendations: kindredv1.NewRecommendationServiceClient(conn),
		Events:          kindredv1.NewEventServiceClient(conn),
		Catalog:         kindredv1.NewCatalogServiceClient(conn),
		Profiles:        kindredv1.NewProfileServiceClient(conn),
		Policies:        kindredv1.NewPolicyServiceClient(conn),
		Experiments:     kindredv1.NewExperimentServiceClient(conn),
		Models:          kindredv1.NewModelServiceClient(conn),
		Admin:           kindredv1.NewAdminServiceClient(conn),
		conn:            conn,
	}
}

// Conn is the connection, for stubs that Client has no field for. Its calls have the same
// deadline, key and retries.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// Close ends the connection and the calls on it. Close a Writer before its client.
func (c *Client) Close() error { return c.conn.Close() }

func (o Options) check(addr string) error {
	switch {
	case addr == "":
		return fmt.Errorf("%w: the address is empty; it is host:port", ErrOptions)
	case o.Timeout < 0:
		return fmt.Errorf("%w: Timeout is %v; it is above 0, or 0 for 2s", ErrOptions, o.Timeout)
	case o.Attempts < 1 || o.Attempts > 5:
		return fmt.Errorf("%w: Attempts is %d; it is 1 to 5", ErrOptions, o.Attempts)
	case o.Plaintext && o.TLS != nil:
		return fmt.Errorf("%w: Plaintext and TLS exclude each other", ErrOptions)
	case o.Plaintext && o.Key != "" && !loopback(addr):
		return fmt.Errorf("%w: a key would go to %s in the clear; use TLS, or a loopback address", ErrOptions, addr)
	case strings.ContainsFunc(o.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: Key has a character that a header cannot hold, such as the line end of a file", ErrOptions)
	}
	return nil
}

func (o Options) transport() credentials.TransportCredentials {
	if o.Plaintext {
		return insecure.NewCredentials()
	}
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return credentials.NewTLS(config)
}

// loopback reports whether an address stays on this machine. What it cannot tell is not.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
