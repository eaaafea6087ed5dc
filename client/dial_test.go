package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/client"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestDialRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, addr string
		options    client.Options
		want       string
	}{
		{"no address", "", client.Options{}, "address is empty"},
		{"a key in the clear", "kindred.internal:50051", client.Options{Key: "kd_x", Plaintext: true}, "in the clear"},
		{"a key in the clear by a name of localhost", "localhost.example.com:1", client.Options{Key: "kd_x", Plaintext: true}, "in the clear"},
		{"a key in the clear to a resolver", "dns:///127.0.0.1:50051", client.Options{Key: "kd_x", Plaintext: true}, "in the clear"},
		{"a key with its file's line end", "127.0.0.1:1", client.Options{Key: "kd_x\n", Plaintext: true}, "line end"},
		{"both ways", "127.0.0.1:1", client.Options{Plaintext: true, TLS: &tls.Config{}}, "exclude"},
		{"too many tries", "127.0.0.1:1", client.Options{Attempts: 6}, "1 to 5"},
		{"a time that has passed", "127.0.0.1:1", client.Options{Timeout: -time.Second}, "above 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := client.Dial(tc.addr, tc.options)
			if !errors.Is(err, client.ErrOptions) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrOptions with %q", err, tc.want)
			}
			if tc.options.Key != "" && strings.Contains(err.Error(), tc.options.Key) {
				t.Errorf("the error %q tells the key", err)
			}
		})
	}
}

// The key arrives over TLS, and only with an authority that the client trusts.
func TestKeyGoesOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, of example.com and loopback
	defer web.Close()
	var seen []string
	s := &script{answer: func(ctx context.Context, _ int) error {
		md, _ := metadata.FromIncomingContext(ctx)
		seen = md.Get("authorization")
		return nil
	}}
	addr := play(t, s, grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())

	trusting := dial(t, addr, func(o *client.Options) {
		o.Plaintext, o.TLS, o.Key = false, &tls.Config{RootCAs: roots}, "kd_secret"
	})
	if _, err := trusting.Recommendations.Recommend(context.Background(), &kindredv1.RecommendRequest{}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != "Bearer kd_secret" {
		t.Errorf("the service saw %q", seen)
	}

	doubting := dial(t, addr, func(o *client.Options) { o.Plaintext, o.Key, o.Attempts = false, "kd_secret", 1 })
	_, err := doubting.Recommendations.Recommend(context.Background(), &kindredv1.RecommendRequest{})
	if status.Code(err) != codes.Unavailable || s.called() != 1 {
		t.Errorf("with an unknown authority: %v after %d calls, want UNAVAILABLE and no second call", err, s.called())
	}
}
