package worker_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/worker"
)

const key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func start(t *testing.T, config worker.Config) *worker.Worker {
	t.Helper()
	config.Listen, config.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	w, err := worker.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error("stop:", err)
		}
	})
	return w
}

func keys(t *testing.T) worker.Keys {
	t.Helper()
	k, err := worker.ReadKeys(strings.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func dial(t *testing.T, w *worker.Worker, config remote.Config) *remote.Client {
	t.Helper()
	config.Addrs = []string{w.Addr()}
	c, err := remote.Dial(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestStaticWorkerServesAndMeasures(t *testing.T) {
	w := start(t, worker.Config{})
	c := dial(t, w, remote.Config{})
	if err := embed.Verify(context.Background(), c); err != nil {
		t.Error(err)
	}
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	if c.Info() != table.Info() || c.Backend() != "go" {
		t.Errorf("serves %+v on %q, want the embedded table on go", c.Info(), c.Backend())
	}
	if code, _ := get(t, "http://"+w.HTTPAddr()+"/readyz"); code != http.StatusOK {
		t.Errorf("readyz: %d", code)
	}
	_, metrics := get(t, "http://"+w.HTTPAddr()+"/metrics")
	for _, name := range []string{
		`kindred_rpc_total{code="OK",method="/kindred.v1.EmbeddingService/Embed"}`, "kindred_embed_texts_total ", "kindred_embed_batches_total ", "kindred_embed_tokens_per_second ",
		`kindred_embed_stage_seconds_total{stage="run"}`, `kindred_embed_queued_texts{lane="bulk"} 0`, `kindred_embed_calls_total{lane="bulk",outcome="admitted"}`,
	} {
		if !strings.Contains(metrics, name) {
			t.Errorf("metrics lack %s", name)
		}
	}
}

func TestKeyIsAskedForAndNeverShown(t *testing.T) {
	var log bytes.Buffer
	w := start(t, worker.Config{Keys: keys(t), Log: slog.New(slog.NewTextHandler(&log, nil))})
	c := dial(t, w, remote.Config{Key: key})
	if err := c.Encode(context.Background(), []string{"lamp"}, make([]float32, c.Info().Dim)); err != nil {
		t.Error(err)
	}
	for vector, err := range c.EncodeAll(context.Background(), slices.Values([]string{"lamp"})) {
		if err != nil || len(vector) == 0 {
			t.Error("stream with a key:", err)
		}
	}
	for name, wrong := range map[string]string{"none": "", "wrong": strings.Repeat("0123456789abcdef", 4)} {
		_, err := remote.Dial(context.Background(), remote.Config{Addrs: []string{w.Addr()}, Key: wrong})
		if !errors.Is(err, remote.ErrUnauthorized) {
			t.Errorf("%s key: got %v, want ErrUnauthorized", name, err)
		}
		if wrong != "" && strings.Contains(err.Error(), wrong) {
			t.Error("the error holds the key")
		}
	}
	conn, err := grpc.NewClient(w.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	if err != nil || reply.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health without a key: %v, %v", reply, err)
	}
	stream, err := kindredv1.NewEmbeddingServiceClient(conn).EmbedStream(context.Background())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream without a key: %v", err)
	}
	if strings.Contains(log.String(), key) {
		t.Error("the log holds the key")
	}
}

func TestOpenAddressNeedsAKey(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "worker.example:0"} {
		_, err := worker.Start(context.Background(), worker.Config{Listen: addr})
		if !errors.Is(err, worker.ErrOpen) {
			t.Errorf("%s: got %v, want ErrOpen", addr, err)
		}
	}
	w, err := worker.Start(context.Background(), worker.Config{Listen: "0.0.0.0:0", Keys: keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

// certificate writes a self-signed certificate for loopback and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool, pair tls.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "worker"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	if err := errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pool, pair
}

func TestTLSWithClientCertificates(t *testing.T) {
	certFile, keyFile, pool, pair := certificate(t)
	w := start(t, worker.Config{Certificate: certFile, PrivateKey: keyFile, ClientCA: certFile, Keys: keys(t)})
	c := dial(t, w, remote.Config{Key: key, TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}})
	if err := c.Encode(context.Background(), []string{"lamp"}, make([]float32, c.Info().Dim)); err != nil {
		t.Error(err)
	}
	for name, config := range map[string]*tls.Config{"no certificate of its own": {RootCAs: pool}, "no trust in the worker's": {Certificates: []tls.Certificate{pair}}, "no TLS": nil} {
		_, err := remote.Dial(context.Background(), remote.Config{Addrs: []string{w.Addr()}, Key: key, TLS: config})
		if !errors.Is(err, embed.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
	if _, err := worker.Start(context.Background(), worker.Config{Listen: "127.0.0.1:0", Certificate: certFile}); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("a certificate without its key: %v", err)
	}
}

func TestMalformedTextIsRefusedByName(t *testing.T) {
	w := start(t, worker.Config{})
	conn, err := grpc.NewClient(w.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := &kindredv1.EmbedRequest{}
	raw := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("good"))
	raw = protowire.AppendBytes(protowire.AppendTag(raw, 1, protowire.BytesType), []byte("\xff"))
	req.ProtoReflect().SetUnknown(raw) // goes over the wire as it is
	_, err = kindredv1.NewEmbeddingServiceClient(conn).Embed(context.Background(), req)
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "texts[1]") {
		t.Errorf("got %v, want INVALID_ARGUMENT naming texts[1]", err)
	}
}

// A transformer behind the worker gives what it gives in process, and is warm before the
// port opens.
func TestTransformerWorkerEqualsTheModelInProcess(t *testing.T) {
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	w := start(t, worker.Config{Model: worker.ModelConfig{Name: dir, Backend: "go"}})
	c := dial(t, w, remote.Config{})
	if err := embed.Verify(context.Background(), c); err != nil {
		t.Error(err)
	}
	direct, err := transformer.Load(dir, transformer.Options{Backend: transformer.Go, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	if c.Info().Model != direct.Info().Model || c.Info().Dim != direct.Info().Dim || c.Info().MaxTokens != direct.Info().MaxTokens || w.Backend() != "go" {
		t.Errorf("serves %+v on %s, want %+v on go", c.Info(), w.Backend(), direct.Info())
	}
	var texts []string
	for i := range 300 {
		texts = append(texts, strings.Repeat("desk lamp blue paper office ", i%20)+"chair")
	}
	// The random model names a prompt for queries and none for documents.
	for prompt, e := range map[string]embed.Encoder{"": c, direct.Prompts()["query"]: c.Queries()} {
		got, want := make([]float32, len(texts)*c.Info().Dim), make([]float32, len(texts)*c.Info().Dim)
		if err := errors.Join(e.Encode(context.Background(), texts, got), direct.WithPrompt(prompt).Encode(context.Background(), texts, want)); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if d := got[i] - want[i]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("prompt %q: component %d is %g, in process %g", prompt, i, got[i], want[i])
			}
		}
	}
	if c.Stats().Truncated == 0 || w.Stats().Truncated == 0 {
		t.Error("texts of more than 64 tokens were not counted as truncated")
	}
}

func TestPrefixesGoByKindAndIntoTheModelsName(t *testing.T) {
	table, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, worker.Config{Server: remote.ServerConfig{QueryPrefix: "query ", DocumentPrefix: "passage "}})
	c := dial(t, w, remote.Config{})
	if plain := table.Info().Model; c.Info().Model == plain || !strings.HasPrefix(c.Info().Model, plain) {
		t.Errorf("model is %q, want that of %q marked", c.Info().Model, plain)
	}
	dim := c.Info().Dim
	for prefix, e := range map[string]embed.Encoder{"query ": c.Queries(), "passage ": c} {
		got, want := make([]float32, 2*dim), make([]float32, 2*dim)
		if err := errors.Join(e.Encode(context.Background(), []string{"lamp", " "}, got), table.Encode(context.Background(), []string{prefix + "lamp", ""}, want)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("prefix %q: not the vectors of the prefixed text and of none", prefix)
		}
	}
}

func TestWrongModelsAreRefusedByName(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for name, config := range map[string]worker.ModelConfig{
		"none":    {Name: missing},
		"backend": {Name: "static", Backend: "xla:tpu"},
		"static":  {Name: "static", Backend: "xla:cuda"},
		"vocab":   {Name: t.TempDir()},
	} {
		config.Offline = true
		_, err := worker.Start(context.Background(), worker.Config{Listen: "127.0.0.1:0", Model: config})
		if !errors.Is(err, worker.ErrModel) {
			t.Errorf("%s: got %v, want ErrModel", name, err)
		}
	}
}

func TestStopDrains(t *testing.T) {
	w, err := worker.Start(context.Background(), worker.Config{Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, w, remote.Config{Patience: 100 * time.Millisecond, BreakerPause: 10 * time.Millisecond})
	n, stopped := 0, make(chan error, 1)
	endless := func(yield func(string) bool) {
		for yield("lamp") {
		}
	}
	var last error
	for _, err := range c.EncodeAll(context.Background(), endless) {
		if last = err; err != nil {
			break
		}
		if n++; n == 1000 {
			go func() { stopped <- w.Stop() }() // an endless stream must not hold it up
		}
	}
	if !errors.Is(last, embed.ErrUnavailable) {
		t.Errorf("the stream ended with %v, want ErrUnavailable", last)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}
