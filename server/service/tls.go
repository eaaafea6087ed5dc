package service

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLS names the files, in PEM, that the ports are encrypted with. They are looked at again
// when a connection comes, at most once a second: certificates are changed without a restart.
// Files that cannot be used leave what was in force, and the log says so. Connections that
// are open go on with what they began with.
type TLS struct {
	// Cert and Key are the server's certificate, with those between it and its authority, and
	// its private key. Both empty: no TLS.
	Cert, Key string
	// ClientCA names the authorities whose certificates every client must show (mTLS). Empty:
	// none is asked for.
	ClientCA string
}

// On reports whether the ports are encrypted.
func (t TLS) On() bool { return t.Cert != "" }

func (t TLS) check() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("TLS: a certificate and its private key go together: give both (tls-cert, tls-key) or neither")
	case t.ClientCA != "" && t.Cert == "":
		return errors.New("TLS: authorities of clients (tls-client-ca) need a certificate of the server: give tls-cert and tls-key too")
	}
	return nil
}

// recheck is how often the files are looked at.
const recheck = time.Second

// certificates are what the files of a TLS hold.
type certificates struct {
	files TLS
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	read    [3][]byte // what the files held when they were last read
	checked time.Time
	config  *tls.Config // in force
}

// openCertificates reads the files for the first time; they must be usable.
func openCertificates(files TLS, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log, now: time.Now}
	read, err := c.readFiles()
	if err != nil {
		return nil, err
	}
	if c.config, err = c.parse(read); err != nil {
		return nil, err
	}
	c.read, c.checked = read, c.now()
	return c, nil
}

// listener returns the configuration of a port.
func (c *certificates) listener() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil },
	}
}

// protocols are what the ports speak. The gRPC port has no HTTP/1.1 and ends such a
// connection; one configuration serves both, and with it one set of session tickets.
var protocols = []string{"h2", "http/1.1"}

// current returns what is in force, and first looks whether the files have changed.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < recheck {
		return c.config
	}
	c.checked = now
	read, err := c.readFiles()
	if err == nil && same(read, c.read) {
		return c.config
	}
	var config *tls.Config
	if err == nil {
		c.read = read // a file that cannot be used is complained of once
		config, err = c.parse(read)
	}
	if err != nil {
		c.log.Error("changed TLS files not taken; those before stay in force", "error", err)
		return c.config
	}
	c.config = config
	c.log.Info("TLS files read anew", "certificate_until", config.Certificates[0].Leaf.NotAfter)
	return config
}

func same(a, b [3][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// maxPEM bounds each file.
const maxPEM = 1 << 20

func (c *certificates) readFiles() (read [3][]byte, err error) {
	for i, path := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err == nil && info.Size() > maxPEM {
			err = fmt.Errorf("%s has %d bytes, at most %d are taken", path, info.Size(), maxPEM)
		}
		if err == nil {
			read[i], err = os.ReadFile(path)
		}
		if err != nil {
			return read, fmt.Errorf("TLS: %w", err)
		}
	}
	return read, nil
}

// parse makes a configuration; its session tickets are its own, so that a session that began
// under other files is not gone on with.
func (c *certificates) parse(read [3][]byte) (*tls.Config, error) {
	cert, err := tls.X509KeyPair(read[0], read[1])
	if err != nil {
		return nil, fmt.Errorf("TLS: certificate %s and key %s: %w", c.files.Cert, c.files.Key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, Certificates: []tls.Certificate{cert}}
	if c.files.ClientCA == "" {
		return config, nil
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(read[2]) {
		return nil, fmt.Errorf("TLS: %s holds no certificate in PEM", c.files.ClientCA)
	}
	return config, nil
}
