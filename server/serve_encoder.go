package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/server/encoder"
)

// openEncoder opens the text encoder that the flags name.
func (c *serveCommand) openEncoder(ctx context.Context, log *slog.Logger) (*encoder.Encoder, error) {
	config := encoder.Config{
		Name: c.Encoder, Backend: c.Backend, File: filepath.Join(c.Data, "encoder.json"), Log: log,
		Remote: remote.Config{Addrs: c.EmbedAddr, PlaintextKey: c.EmbedPlain},
	}
	var err error
	if config.Remote.Key, err = readToken(c.EmbedToken); err != nil {
		return nil, err
	}
	if config.Remote.TLS, err = c.workerTLS(); err != nil {
		return nil, err
	}
	return encoder.Open(ctx, config)
}

// encoderWorkers says how the workers of --encoder remote are reached.
type encoderWorkers struct {
	EmbedAddr  []string `placeholder:"HOST:PORT,..." help:"Workers of --encoder remote."`
	EmbedToken string   `name:"embed-token-file" type:"path" placeholder:"FILE" help:"Key for the workers, in a file."`
	EmbedTLS   bool     `name:"embed-tls" help:"Encrypt the way to the workers, whose certificates the system trusts."`
	EmbedCA    string   `name:"embed-ca" type:"path" placeholder:"FILE" help:"Encrypt the way to the workers; authorities in PEM that their certificates come from."`
	EmbedPlain bool     `name:"embed-plaintext-token" help:"Send the key to workers beyond this machine without TLS: the network is trusted."`
}

// workerTLS is nil for plain text.
func (c *encoderWorkers) workerTLS() (*tls.Config, error) {
	if c.EmbedCA == "" {
		if c.EmbedTLS {
			return &tls.Config{MinVersion: tls.VersionTLS12}, nil
		}
		return nil, nil
	}
	pem, err := os.ReadFile(c.EmbedCA)
	if err != nil {
		return nil, fmt.Errorf("--embed-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--embed-ca: %s holds no certificate in PEM", c.EmbedCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// readToken returns the first key of a key file, as the worker reads it: empty lines and
// those that begin with # are passed over. No file: no key.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--embed-token-file: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line, nil
		}
	}
	return "", fmt.Errorf("--embed-token-file: %s holds no key: copy the worker's, which `openssl rand -hex 32` made", path)
}
