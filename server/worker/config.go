package worker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/server/auth"
)

// Config is what a worker runs with. The zero value of a field means its default.
type Config struct {
	// Model to serve.
	Model ModelConfig
	// Listen is the address of the gRPC port, such as "127.0.0.1:50061". Beyond loopback
	// Keys or ClientCA are needed.
	Listen string
	// HTTP is the address of health and metrics. Empty: none.
	HTTP string
	// Keys are those that calls may bear. Nil: none is asked for.
	Keys Keys
	// Certificate and PrivateKey are files in PEM that turn on TLS. ClientCA is a file of
	// the authorities whose certificates clients must show.
	Certificate, PrivateKey, ClientCA string
	// Batch and Server are passed on; their own defaults hold. Batch.Runners is by default
	// as many as cores for a static table, 1 for a transformer on the processor, of which one
	// batch takes all cores, and 2 on a GPU, so that one batch is tokenized while another is
	// computed. Without any prefix in Server the model's own
	// prompts are used.
	Batch  batch.Config
	Server remote.ServerConfig
	// Histories makes vectors of what users did, by bundles in its Dir. No Dir: the worker
	// does not.
	Histories histories.Config
	// MaxConnections bounds connections, MaxCalls the calls under way on one of them.
	// Default 256 and 64.
	MaxConnections int
	MaxCalls       uint32
	// Drain is how long calls under way may take to end at a stop. Default 10 s.
	Drain time.Duration
	Log   *slog.Logger
}

// ErrOpen: the address is open to others and there is neither a key nor a client authority.
var ErrOpen = errors.New("refusing to listen beyond loopback without keys or client certificates")

func (c Config) withDefaults() Config {
	if c.MaxConnections == 0 {
		c.MaxConnections = 256
	}
	if c.MaxCalls == 0 {
		c.MaxCalls = 64
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Model.Log, c.Server.Log, c.Histories.Log = c.Log, c.Log, c.Log
	return c
}

// forModel sets what depends on the model.
func (c *Config) forModel(m *Model) {
	if c.Batch.Runners == 0 {
		switch {
		case m.Light:
			c.Batch.Runners = runtime.GOMAXPROCS(0)
		case m.Backend == string(transformer.XLACUDA):
			c.Batch.Runners = 2
		default:
			c.Batch.Runners = 1
		}
	}
	c.Server.Backend = m.Backend
	if c.Server.QueryPrefix == "" && c.Server.DocumentPrefix == "" {
		c.Server.QueryPrefix, c.Server.DocumentPrefix, c.Server.OwnPrompts = m.QueryPrompt, m.DocumentPrompt, true
	}
}

// local reports whether the gRPC port can be reached from this machine alone.
func (c Config) local() bool {
	local, err := auth.Loopback(c.Listen)
	return err == nil && local
}

// mayListen refuses to open an unprotected worker to others.
func (c Config) mayListen() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("address %q: %w: give HOST:PORT, such as 127.0.0.1:50061", c.Listen, err)
	}
	if c.local() || c.Keys != nil || c.ClientCA != "" {
		return nil
	}
	return fmt.Errorf("%w: %s can be reached by others; give a file with a key, or listen on 127.0.0.1", ErrOpen, c.Listen)
}

// tls is the server's side of TLS; nil without a certificate.
func (c Config) tls() (*tls.Config, error) {
	if (c.Certificate == "") != (c.PrivateKey == "") || c.ClientCA != "" && c.Certificate == "" {
		return nil, errors.New("TLS: a certificate and its private key go together, and client certificates need both")
	}
	if c.Certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("TLS: client authorities: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS: client authorities: %s holds no certificate in PEM", c.ClientCA)
	}
	return config, nil
}
