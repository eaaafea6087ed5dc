package encodebench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/internal/retry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// workerClient calls a worker as it is, without the tries, the breaker and the sharing out
// of the service's own client.
type workerClient struct {
	conns          []*grpc.ClientConn
	services       []kindredv1.EmbeddingServiceClient
	key            string
	model, backend string
}

// dialTime is how long a worker may take to answer the first call.
const dialTime = 10 * time.Second

func dialWorker(ctx context.Context, o Overload) (*workerClient, error) {
	c := &workerClient{key: o.Key}
	for range connections {
		conn, err := grpc.NewClient(o.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("worker %s: %w", o.Addr, err), c.close())
		}
		c.conns = append(c.conns, conn)
		c.services = append(c.services, kindredv1.NewEmbeddingServiceClient(conn))
	}
	ctx, cancel := context.WithTimeout(c.authorize(ctx), dialTime)
	defer cancel()
	for _, s := range c.services { // all are connected before the clock starts
		info, err := s.Info(ctx, &kindredv1.EmbeddingServiceInfoRequest{})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("no worker answers at %s: %s", o.Addr, status.Convert(err).Message()), c.close())
		}
		c.model, c.backend = info.GetModel(), info.GetBackend()
	}
	return c, nil
}

func (c *workerClient) close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

func (c *workerClient) authorize(ctx context.Context) context.Context {
	if c.key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
}

// answer is what became of a call.
type answer struct {
	err        error
	code       string
	refused    bool          // for lack of room
	retryAfter time.Duration // as RetryInfo says; 0: there is none
}

// embed sends one call over one of the connections.
func (c *workerClient) embed(ctx context.Context, place int, texts []string) answer {
	request := &kindredv1.EmbedRequest{Texts: texts, Kind: kindredv1.EmbedKind_EMBED_KIND_QUERY}
	reply, err := c.services[place%len(c.services)].Embed(c.authorize(ctx), request)
	if err == nil {
		if want := len(texts) * int(reply.GetDimension()) * 4; len(reply.GetVectors()) != want {
			err = status.Errorf(codes.DataLoss, "%d bytes of vectors for %d texts, want %d", len(reply.GetVectors()), len(texts), want)
		}
	}
	if err == nil {
		return answer{}
	}
	st := status.Convert(err)
	a := answer{err: err, code: st.Code().String(), refused: st.Code() == codes.ResourceExhausted}
	a.retryAfter = retry.Hint(err)
	return a
}

// memory is the worker's resident memory, in MB; zeros where it is not asked for.
type memory struct {
	first, last, most float64
	err               error
}

// watchMemory reads the worker's memory now, each second, and when stop is called, after
// which the figures may be read.
func watchMemory(ctx context.Context, addr string) (m *memory, stop func()) {
	m = &memory{}
	if addr == "" {
		return m, func() {}
	}
	read := func() {
		mb, err := residentMemory(ctx, addr)
		if err != nil {
			m.err = errors.Join(m.err, err)
			return
		}
		if m.first == 0 {
			m.first = mb
		}
		m.last, m.most = mb, max(m.most, mb)
	}
	read()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for m.err == nil {
			select {
			case <-tick.C:
				read()
			case <-end:
				read()
				return
			}
		}
		<-end
	}()
	return m, func() { close(end); <-ended }
}

const residentName = "process_resident_memory_bytes "

func residentMemory(ctx context.Context, addr string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("--metrics %s: %w", addr, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("--metrics %s: %w", addr, err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), residentName); ok {
			bytes, err := strconv.ParseFloat(text, 64)
			return round(bytes / 1e6), err
		}
	}
	return 0, fmt.Errorf("--metrics %s: no %sthere; want the HTTP port of the worker", addr, residentName)
}

func writeOverload(out io.Writer, line OverloadLine) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}
