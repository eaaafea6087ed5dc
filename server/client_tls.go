package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// clientTLS says how the way to a running service is encrypted.
type clientTLS struct {
	TLS        bool   `name:"tls" help:"Encrypt the way to the service, whose certificate the system trusts."`
	CA         string `name:"ca" type:"existingfile" placeholder:"FILE" help:"Encrypt the way to the service; authorities in PEM that its certificate comes from."`
	ClientCert string `name:"client-cert" type:"existingfile" placeholder:"FILE" help:"Certificate in PEM to show to the service."`
	ClientKey  string `name:"client-key" type:"existingfile" placeholder:"FILE" help:"Its private key in PEM."`
}

// dial makes a connection, which is tried with the first call.
func (c *clientTLS) dial(addr string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport, err := c.credentials()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(addr, append(options, grpc.WithTransportCredentials(transport))...)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	return conn, nil
}

func (c *clientTLS) credentials() (credentials.TransportCredentials, error) {
	if (c.ClientCert == "") != (c.ClientKey == "") {
		return nil, errors.New("--client-cert and --client-key go together: give both or neither")
	}
	if !c.TLS && c.CA == "" && c.ClientCert == "" {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca %s holds no certificate in PEM", c.CA)
		}
	}
	if c.ClientCert != "" {
		cert, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("--client-cert %s: %w", c.ClientCert, err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return credentials.NewTLS(config), nil
}
