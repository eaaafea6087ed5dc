package main

import "github.com/kindred-rec/kindred/server/service"

// accessFlags say who reaches the service and how.
type accessFlags struct {
	TLSCert     string `name:"tls-cert" type:"path" placeholder:"FILE" group:"Access" help:"Certificate of the gRPC and the HTTP port, in PEM. A changed file is taken without a restart."`
	TLSKey      string `name:"tls-key" type:"path" placeholder:"FILE" group:"Access" help:"Its private key, in PEM."`
	TLSClientCA string `name:"tls-client-ca" type:"path" placeholder:"FILE" group:"Access" help:"Authorities, in PEM, whose certificates every client must show (mTLS)."`
	Plaintext   bool   `group:"Access" help:"Listen beyond loopback without TLS: something before the service encrypts, or the network is trusted."`

	CORSOrigin []string `name:"cors-origin" placeholder:"URL,..." group:"Access" help:"Web origins whose pages may call the HTTP port, such as https://shop.example. Not set: none may."`
	MaxPerHost int      `default:"0" zero:"" min:"1" max:"1000000" group:"Limits of the network" help:"Connections of a port from one address; further ones are closed at once. 0: a quarter of max-connections."`
}

// put hands the flags to the service.
func (a *accessFlags) put(c *service.Config) {
	c.TLS = service.TLS{Cert: a.TLSCert, Key: a.TLSKey, ClientCA: a.TLSClientCA}
	c.Plaintext, c.Origins, c.MaxPerHost = a.Plaintext, a.CORSOrigin, a.MaxPerHost
}
