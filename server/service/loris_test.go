package service_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// hang opens a connection and sends the beginning of something.
func hang(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ends reports whether the other side ends a connection within a time.
func ends(conn net.Conn, within time.Duration) bool {
	conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, conn)
	return err == nil || !isTimeout(err)
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func TestClientsThatDoNotGoOnAreCutOff(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.ReadTimeout = 300 * time.Millisecond })
	call := "POST /kindred.v1.RecommendationService/Recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
	for why, conn := range map[string]net.Conn{
		"half a header":  hang(t, s.service.HTTPAddr(), call),
		"half a body":    hang(t, s.service.HTTPAddr(), call+"\r\n{\"limit\":"),
		"half a preface": hang(t, s.service.Addr(), http2.ClientPreface[:10]),
		"nothing":        hang(t, s.service.Addr(), ""),
	} {
		if !ends(conn, 20*time.Second) {
			t.Errorf("%s: the connection stays", why)
		}
	}
	// A byte now and then does not help: the whole body has its time.
	drip := hang(t, s.service.HTTPAddr(), call+"\r\n")
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range 200 {
			if _, err := io.WriteString(drip, " "); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	if !ends(drip, 15*time.Second) {
		t.Error("a byte now and then holds a connection")
	}
	drip.Close()
	<-stop
	must(s.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
}

func TestOneAddressCannotHoldAllConnections(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.MaxConnections, c.MaxPerHost = 20, 5 })
	for _, addr := range []string{s.service.Addr(), s.service.HTTPAddr()} {
		from := func(ip string) net.Conn {
			conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).Dial("tcp", addr)
			if err != nil {
				t.Skipf("this system has no second address on loopback: %v", err)
			}
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		var held []net.Conn
		for range 5 {
			held = append(held, from("127.0.0.2"))
		}
		time.Sleep(100 * time.Millisecond) // all are accepted
		if !ends(from("127.0.0.2"), 2*time.Second) {
			t.Error("a sixth connection of one address stays")
		}
		if ends(from("127.0.0.3"), 300*time.Millisecond) {
			t.Error("another address is refused")
		}
		held[0].Close()
		eventually(t, "the place of a closed connection is not given back", func() bool {
			return !ends(from("127.0.0.2"), 300*time.Millisecond)
		})
	}
}

func TestGiantAndMalformedMessagesEndTheirCallAlone(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.MaxMessage = 1 << 20 })
	s.upsert(shelf()...)
	_, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{{Id: strings.Repeat("x", 2<<20)}}})
	code(t, err, codes.ResourceExhausted)
	// Bytes that are no HTTP, no HTTP/2 and no gRPC, on both ports.
	for _, addr := range []string{s.service.Addr(), s.service.HTTPAddr()} {
		for _, text := range []string{
			strings.Repeat("\x00\xff", 10_000), "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
			http2.ClientPreface + strings.Repeat("\xff", 64),
			"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, text) // the other side may end it in the midst
			if !ends(conn, 15*time.Second) {
				t.Errorf("%s: a connection with %.20q stays", addr, text)
			}
			conn.Close()
		}
	}
	// A gRPC-Web frame that says it is larger than it may be.
	codeHTTP, body, header := exchange(t, http.MethodPost, s.url("RecommendationService/Recommend"), "application/grpc-web+proto", "\x00\xff\xff\xff\xff", nil)
	if status := header.Get("Grpc-Status"); status != "8" && status != "3" && !strings.Contains(body, "grpc-status: 8") && !strings.Contains(body, "grpc-status: 3") {
		t.Errorf("a frame of 4 GB: %d %q %v", codeHTTP, body, header)
	}
	must(s.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	if codeHTTP, _, _ := s.post("RecommendationService/Recommend", `{}`, nil); codeHTTP != 200 {
		t.Errorf("after all: %d", codeHTTP)
	}
}

func TestLongAnswerIsNotCutOffWhileItIsRead(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.ReadTimeout = 200 * time.Millisecond })
	g := "POST /kindred.v1.RecommendationService/Recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	conn := hang(t, s.service.HTTPAddr(), g)
	read := bufio.NewReader(conn)
	for i := range 3 { // the connection is kept, longer than a part of a body may take
		resp, err := http.ReadResponse(read, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("answer %d: %v %v", i, resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		time.Sleep(400 * time.Millisecond)
		if _, err := io.WriteString(conn, g); err != nil {
			t.Fatal(err)
		}
	}
}
