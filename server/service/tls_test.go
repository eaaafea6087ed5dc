package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// authority issues certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, key, key)
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a.key = key
	return a
}

func (a *authority) sign(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = serial, pkix.Name{CommonName: "test"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

// pem returns the authority's own certificate.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue returns a certificate for this machine or a client of it, and its key.
func (a *authority) issue() (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	raw := a.sign(&x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, private, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// trusting is a client that trusts an authority, and shows a certificate of another one if
// there is one.
func (a *authority) trusting(shows *authority) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AddCert(a.cert)
	if shows != nil {
		pair, err := tls.X509KeyPair(shows.issue())
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// tlsFiles are a server's files, which a test changes.
type tlsFiles struct {
	t *testing.T
	service.TLS
}

func (f *tlsFiles) put(server *authority) {
	cert, key := server.issue()
	f.write(f.Cert, cert)
	f.write(f.Key, key)
}

func (f *tlsFiles) write(path string, raw []byte) {
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func withTLS(t *testing.T, server *authority) *tlsFiles {
	dir := t.TempDir()
	f := &tlsFiles{t: t, TLS: service.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}}
	f.put(server)
	return f
}

// over calls both ports with a TLS configuration; both must do the same.
func (s *shop) over(c *tls.Config) error {
	s.t.Helper()
	err, webErr := s.ports(c)
	if (err == nil) != (webErr == nil) {
		s.t.Errorf("gRPC port: %v; HTTP port: %v", err, webErr)
	}
	return err
}

// taken reports whether both ports take a TLS configuration. A changed file may be taken between the calls to the two.
func (s *shop) taken(c *tls.Config) bool {
	err, webErr := s.ports(c)
	return err == nil && webErr == nil
}

// ports calls both ports.
func (s *shop) ports(c *tls.Config) (call, webCall error) {
	conn, err := grpc.NewClient(s.service.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(c)))
	if err != nil {
		return err, err
	}
	defer conn.Close()
	_, err = kindredv1.NewRecommendationServiceClient(conn).Recommend(ctx(s.t), &kindredv1.RecommendRequest{})
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: c.Clone(), ForceAttemptHTTP2: true}}
	defer web.CloseIdleConnections()
	resp, webErr := web.Post("https://"+s.service.HTTPAddr()+"/kindred.v1.RecommendationService/Recommend", "application/json", strings.NewReader("{}"))
	if webErr == nil {
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
			s.t.Errorf("HTTP port: %s %s", resp.Proto, resp.Status)
		}
	}
	return err, webErr
}

// eventually waits for what the service does a second after a file changes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 50 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error(what)
}

func TestCertificatesAreChangedWithoutARestart(t *testing.T) {
	first, second, log := newAuthority(t), newAuthority(t), &lockedBuffer{}
	files := withTLS(t, first)
	s := start(t, withHTTP, func(c *service.Config) {
		c.TLS, c.Log = files.TLS, slog.New(slog.NewTextHandler(log, nil))
	})
	if err := s.over(first.trusting(nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.over(second.trusting(nil)); err == nil {
		t.Error("an authority that did not issue the certificate is believed")
	}
	if _, err := dial(t, s.service.Addr(), "").Recommend(ctx(t), &kindredv1.RecommendRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without TLS: %v", err)
	}
	// A connection that is open goes on.
	conn, err := grpc.NewClient(s.service.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(first.trusting(nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	open := kindredv1.NewRecommendationServiceClient(conn)
	must(open.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	files.put(second)
	eventually(t, "the new certificate is not taken", func() bool { return s.taken(second.trusting(nil)) })
	must(open.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	// A file that cannot be used changes nothing and is told of.
	files.write(files.Cert, []byte("nonsense"))
	eventually(t, "a broken certificate is not told of", func() bool {
		if err := s.over(second.trusting(nil)); err != nil {
			t.Fatalf("a broken file stops the service: %v", err)
		}
		return strings.Contains(log.String(), "changed TLS files not taken")
	})
	files.put(first)
	eventually(t, "a mended certificate is not taken", func() bool { return s.taken(first.trusting(nil)) })
	old := first.trusting(nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := s.over(old); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := s.over(old); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestClientsShowACertificateOfAnAuthorityInForce(t *testing.T) {
	server, first, second := newAuthority(t), newAuthority(t), newAuthority(t)
	files := withTLS(t, server)
	files.ClientCA = filepath.Join(filepath.Dir(files.Cert), "clients.pem")
	files.write(files.ClientCA, first.pem())
	s := start(t, withHTTP, func(c *service.Config) { c.TLS = files.TLS })
	if err := s.over(server.trusting(first)); err != nil {
		t.Fatal(err)
	}
	for why, c := range map[string]*tls.Config{"none": server.trusting(nil), "of another authority": server.trusting(second), "of the server's": server.trusting(server)} {
		if err := s.over(c); err == nil {
			t.Errorf("a client with a certificate %s is let in", why)
		}
	}
	files.write(files.ClientCA, second.pem())
	eventually(t, "the new authority is not taken", func() bool { return s.taken(server.trusting(second)) })
	if err := s.over(server.trusting(first)); err == nil {
		t.Error("the authority before is still believed")
	}
}

func TestBeyondLoopbackPlaintextIsAskedFor(t *testing.T) {
	s := start(t)
	s.operate()
	s.stop()
	for _, edit := range []func(*service.Config){
		func(c *service.Config) { c.GRPC = "0.0.0.0:0" },
		func(c *service.Config) { c.HTTP = "[::]:0" },
	} {
		config := s.config
		edit(&config)
		svc, err := service.Start(ctx(t), config)
		if !errors.Is(err, service.ErrPlaintext) {
			t.Errorf("got %v, want ErrPlaintext", err)
		}
		if err == nil {
			svc.Stop()
		}
		config.Plaintext = true
		if svc, err = service.Start(ctx(t), config); err != nil {
			t.Fatal(err)
		}
		svc.Stop()
		config.Plaintext, config.TLS = false, withTLS(t, newAuthority(t)).TLS
		if svc, err = service.Start(ctx(t), config); err != nil {
			t.Fatal(err)
		}
		svc.Stop()
	}
	config := s.config
	for _, files := range []service.TLS{{Cert: "a"}, {Key: "a"}, {ClientCA: "a"}, {Cert: "/none/a", Key: "/none/b"}} {
		config.TLS = files
		if svc, err := service.Start(ctx(t), config); err == nil {
			t.Errorf("%+v is taken", files)
			svc.Stop()
		}
	}
}
