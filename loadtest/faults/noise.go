package faults

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// scraps are beginnings that parsers know; random bytes follow.
var scraps = []string{
	"", "GET / HTTP/1.1\r\n\r\n", "POST /kindred.v1.EventService/WriteEvents HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "GET /metrics HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00",
	http2.ClientPreface, http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", http2.ClientPreface + "\xff\xff\xff\x00\xff\xff\xff\xff\xff",
	"POST /kindred.v1.RecommendationService/Recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 5\r\n\r\n\x00\xff\xff\xff\xff",
}

func noise(ctx context.Context, w *world, row *Row) error {
	const rounds = 60
	row.Way = fmt.Sprintf("%d connections on each port: %d beginnings of requests, each followed by random bytes; and well-formed HTTP/2 with broken gRPC messages", rounds*len(scraps), len(scraps))
	rng := rand.New(rand.NewPCG(w.options.Seed, 5))
	for range rounds {
		for _, addr := range []string{w.grpc, w.http} {
			for _, scrap := range scraps {
				junk := make([]byte, rng.IntN(4096))
				for i := range junk {
					junk[i] = byte(rng.Uint32())
				}
				if err := hurl(addr, append([]byte(scrap), junk...)); err != nil {
					row.note("no connection: %v", err)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	for _, body := range [][]byte{{}, {0}, {0, 0, 0, 0}, {1, 0, 0, 0, 1, 7}, {0, 0xff, 0xff, 0xff, 0xff}, {9, 0, 0, 0, 0}, {0, 0, 0, 0, 3, 0xff, 0xff, 0xff}} {
		for _, addr := range []string{w.grpc, w.http} {
			if err := rawCall(addr, body); err != nil {
				row.note("no connection: %v", err)
			}
		}
	}
	row.Notes = sortedUnique(row.Notes)
	row.note("descriptors after it: %d", descriptors(w.server))
	row.over = time.Now()
	return nil
}

// hurl sends bytes and hangs up.
func hurl(addr string, b []byte) error {
	conn, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Millisecond)) // whatever the answer is
	_, _ = conn.Write(b)
	_, _ = conn.Read(make([]byte, 512))
	return nil
}

// headers of a call, as gRPC sends them.
func headers(addr string) []byte {
	var b strings.Builder
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", addr},
		{":path", kindredv1.RecommendationService_Recommend_FullMethodName}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // to memory
	}
	return []byte(b.String())
}

// rawCall makes a call by hand whose message is the bytes.
func rawCall(addr string, body []byte) error {
	conn, framer, err := greet(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	block := headers(addr)
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}) // it may hang up
	_ = framer.WriteData(1, true, body)
	_, _ = conn.Read(make([]byte, 4096))
	return nil
}

// greet opens an HTTP/2 connection by hand.
func greet(addr string) (net.Conn, *http2.Framer, error) {
	conn, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // an error shows at the use
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		conn.Close()
		return nil, nil, err
	}
	framer := http2.NewFramer(conn, conn)
	return conn, framer, framer.WriteSettings()
}

// giant sends more than is taken.
func giant(ctx context.Context, w *world, row *Row) error {
	row.Way = "20 WriteEvents of 64 MiB each, on connections of their own; then calls whose message claims 4 GiB; the bound is 8 MiB"
	before := resident(w.server)
	text := strings.Repeat("x", 64<<20)
	for range 20 {
		conn, err := w.dial(grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1 << 30)))
		if err != nil {
			return err
		}
		_, err = kindredv1.NewEventServiceClient(conn).WriteEvents(ctx, writeOf([]*kindredv1.Event{{Id: text}}))
		conn.Close()
		if got := status.Code(err); got != codes.ResourceExhausted && got != codes.Unavailable {
			row.Process = failed(fmt.Sprintf("a message of 64 MiB is answered %v", err))
		}
	}
	for range 100 {
		head := make([]byte, 5)
		binary.BigEndian.PutUint32(head[1:], 1<<32-1)
		if err := rawCall(w.grpc, head); err != nil {
			row.note("no connection: %v", err)
		}
	}
	row.note("resident memory %.0f MB, %.0f MB before", resident(w.server), before)
	row.over = time.Now()
	return nil
}

// resets begins streams and resets them at once (CVE-2023-44487).
func resets(ctx context.Context, w *world, row *Row) error {
	const streams, connections = 5000, 4
	row.Way = fmt.Sprintf("%d connections on each port begin %d calls each and reset every one at once", connections, streams)
	for _, addr := range []string{w.grpc, w.http} {
		for range connections {
			conn, framer, err := greet(addr)
			if err != nil {
				row.note("no connection: %v", err)
				continue
			}
			go func() { // the server's frames are read away; it ends with the connection
				b := make([]byte, 64<<10)
				for {
					if _, err := conn.Read(b); err != nil {
						return
					}
				}
			}()
			sent := 0
			block := headers(addr)
			for ; sent < streams && ctx.Err() == nil; sent++ {
				id := uint32(2*sent + 1)
				if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true}) != nil ||
					framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					break // hung up on
				}
			}
			row.note("%s: %d sent on a connection", either(addr == w.grpc, "gRPC port", "HTTP port"), sent)
			conn.Close()
		}
	}
	row.Notes = sortedUnique(row.Notes)
	row.over = time.Now()
	return nil
}

// resident is the memory of a process in MB (1e6 bytes); 0 where the system does not say.
func resident(p *process) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return float64(pages) * float64(os.Getpagesize()) / 1e6
}
