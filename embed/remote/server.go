package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// ServerConfig says what a worker takes. The zero value of a field means its default.
type ServerConfig struct {
	// Backend is told in Info: what computes, such as "xla:cuda". Default "go".
	Backend string

	// MaxTexts and MaxRequestBytes bound one request. Default 1,024 and 4 MiB, at least
	// 1 and 64 KiB. MaxTexts is lowered so that a reply is within MaxReplyBytes.
	MaxTexts, MaxRequestBytes int

	// MaxTextBytes bounds what is read of a text when the model itself has no bound in
	// bytes or a larger one. Default 64 KiB, at least 1, at most MaxRequestBytes less a
	// character.
	MaxTextBytes int

	// MaxStreams bounds the streams open at once, StreamWindow the requests of one that
	// are under way. Default 64 and 4. What all streams hold is within MaxStreams *
	// StreamWindow * (MaxRequestBytes + MaxReplyBytes).
	MaxStreams, StreamWindow int

	// QueryPrefix and DocumentPrefix are put before a text by its kind, for models that
	// were trained so ("query: "); white space gets none. They become a part of the
	// model's name, unless OwnPrompts says that they are those of the model itself, which
	// its name implies. Default none.
	QueryPrefix, DocumentPrefix string
	OwnPrompts                  bool

	// Histories serves EmbedHistories and UploadBundle. Nil: they are UNIMPLEMENTED.
	Histories Histories

	// Log gets the encoder's failures, without any text. Default none.
	Log *slog.Logger
}

// Histories is the part of the service that makes vectors of what users did, such as
// histories.Server.
type Histories interface {
	EmbedHistories(grpc.BidiStreamingServer[kindredv1.EmbedHistoriesRequest, kindredv1.EmbedHistoriesResponse]) error
	UploadBundle(grpc.ClientStreamingServer[kindredv1.UploadBundleRequest, kindredv1.UploadBundleResponse]) error
	// Info is what the worker says of it.
	Info() *kindredv1.HistoriesInfo
	// MaxMessage is the size of the largest message that it takes.
	MaxMessage() int
	// Drain and Wait are as the Server's.
	Drain()
	Wait()
}

// MaxReplyBytes bounds the vectors of one reply.
const MaxReplyBytes = 8 << 20

// messageOverhead is what a message may have beyond its texts or vectors: two bytes and
// a length for each text, and the other fields.
func messageOverhead(texts int) int { return 1<<12 + 8*texts }

// ErrConfig is wrapped by errors about settings. The error names the setting, its value
// and its bound.
var ErrConfig = errors.New("remote: bad configuration")

// Server is a worker: EmbeddingService over a batcher. All methods are safe for
// concurrent use.
type Server struct {
	kindredv1.UnimplementedEmbeddingServiceServer

	batcher  *batch.Batcher
	config   ServerConfig
	model    string
	maxBytes int           // of a text that are read
	streams  chan struct{} // a place for each open stream
	vectors  sync.Pool     // of *[]float32
	draining chan struct{}
	drain    sync.Once
	readers  sync.WaitGroup // of streams
}

// NewServer returns a worker over a batcher, which stays the caller's to close. Errors
// wrap [ErrConfig].
func NewServer(b *batch.Batcher, config ServerConfig) (*Server, error) {
	info := b.Info()
	s := &Server{batcher: b, model: info.Model, draining: make(chan struct{})}
	s.vectors.New = func() any { return new([]float32) }
	var err error
	if s.config, err = config.resolve(info.Dim); err != nil {
		return nil, err
	}
	s.maxBytes = s.config.MaxTextBytes
	if prefix := max(len(config.QueryPrefix), len(config.DocumentPrefix)); info.MaxBytes > 0 {
		s.maxBytes = min(s.maxBytes, info.MaxBytes-prefix)
		if s.maxBytes < 1 {
			return nil, fmt.Errorf("%w: prefixes of %d bytes leave nothing of the %d that the model reads", ErrConfig, prefix, info.MaxBytes)
		}
	}
	if (config.QueryPrefix != "" || config.DocumentPrefix != "") && !config.OwnPrompts {
		s.model += fmt.Sprintf("+prefix:%x", sha256.Sum256([]byte(config.QueryPrefix+"\x00"+config.DocumentPrefix)))[:len("+prefix:")+16]
	}
	s.streams = make(chan struct{}, s.config.MaxStreams)
	return s, nil
}

func (c ServerConfig) resolve(dim int) (ServerConfig, error) {
	if c.Backend == "" {
		c.Backend = "go"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxRequestBytes == 0 { // the next default depends on it
		c.MaxRequestBytes = 4 << 20
	}
	for _, setting := range []struct {
		name              string
		value             *int
		otherwise         int
		smallest, largest int
	}{
		{"MaxTexts", &c.MaxTexts, 1024, 1, 1 << 16},
		{"MaxRequestBytes", &c.MaxRequestBytes, 4 << 20, 64 << 10, 64 << 20},
		{"MaxTextBytes", &c.MaxTextBytes, min(64<<10, c.MaxRequestBytes-utf8.UTFMax), 1, 64 << 20},
		{"MaxStreams", &c.MaxStreams, 64, 1, 1 << 16},
		{"StreamWindow", &c.StreamWindow, 4, 1, 256},
	} {
		if *setting.value == 0 {
			*setting.value = setting.otherwise
		}
		if *setting.value < setting.smallest || *setting.value > setting.largest {
			return c, fmt.Errorf("%w: %s is %d; want %d to %d, or 0 for the default",
				ErrConfig, setting.name, *setting.value, setting.smallest, setting.largest)
		}
	}
	if c.MaxTextBytes > c.MaxRequestBytes-utf8.UTFMax {
		return c, fmt.Errorf("%w: MaxTextBytes is %d and MaxRequestBytes %d; a request must hold one text and %d bytes",
			ErrConfig, c.MaxTextBytes, c.MaxRequestBytes, utf8.UTFMax)
	}
	c.MaxTexts = max(1, min(c.MaxTexts, MaxReplyBytes/(dim*wire.Float32Bytes)))
	return c, nil
}

// Register adds the service to a gRPC server. Give that server [Server.MaxMessage].
func (s *Server) Register(r grpc.ServiceRegistrar) { kindredv1.RegisterEmbeddingServiceServer(r, s) }

// MaxMessage is the size of the largest message that the worker takes, for
// grpc.MaxRecvMsgSize.
func (s *Server) MaxMessage() int {
	most := s.config.MaxRequestBytes + messageOverhead(s.config.MaxTexts)
	if s.config.Histories != nil {
		most = max(most, s.config.Histories.MaxMessage())
	}
	return most
}

// Model is the name of what is served, prefixes included.
func (s *Server) Model() string { return s.model }

// Drain ends the open streams once what they sent is answered, and refuses what comes
// later with UNAVAILABLE. Call it before grpc.Server.GracefulStop, which waits for them.
func (s *Server) Drain() {
	s.drain.Do(func() { close(s.draining) })
	if s.config.Histories != nil {
		s.config.Histories.Drain()
	}
}

// Wait returns when no goroutine of a stream is left. Call it after the gRPC server
// stopped.
func (s *Server) Wait() {
	s.readers.Wait()
	if s.config.Histories != nil {
		s.config.Histories.Wait()
	}
}

var errDraining = status.Error(codes.Unavailable, "the worker stops: ask another")

func (s *Server) stopping() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Embed encodes one request.
func (s *Server) Embed(ctx context.Context, req *kindredv1.EmbedRequest) (*kindredv1.EmbedResponse, error) {
	if s.stopping() {
		return nil, errDraining
	}
	if err := s.check("", req); err != nil {
		return nil, err
	}
	call := batch.Call{Lane: batch.Bulk, Texts: s.prefixed(req)}
	if req.GetKind() == kindredv1.EmbedKind_EMBED_KIND_QUERY {
		call.Lane = batch.Interactive
	}
	return s.encode(ctx, call)
}

// check refuses a request beyond the limits. Path is where it stands, such as
// "request.".
func (s *Server) check(path string, req *kindredv1.EmbedRequest) error {
	texts := req.GetTexts()
	if len(texts) > s.config.MaxTexts {
		return wire.Invalid(path+"texts", fmt.Sprintf("%d texts, at most %d may be in a request: send several", len(texts), s.config.MaxTexts))
	}
	if kind := req.GetKind(); kind < 0 || int(kind) >= len(kindredv1.EmbedKind_name) {
		return wire.Invalid(path+"kind", fmt.Sprintf("%d is unknown: use QUERY or DOCUMENT", kind))
	}
	total := 0
	for i, text := range texts {
		if most := s.maxBytes + utf8.UTFMax; len(text) > most {
			return wire.Invalid(fmt.Sprintf("%stexts[%d]", path, i), fmt.Sprintf(
				"%d bytes, at most %d may be: cut it, the model reads the first %d", len(text), most, s.maxBytes))
		}
		total += len(text)
	}
	if total > s.config.MaxRequestBytes {
		return wire.Invalid(path+"texts", fmt.Sprintf("%d bytes together, at most %d may be in a request: send several", total, s.config.MaxRequestBytes))
	}
	return nil
}

// prefixed are the texts as the model wants them for their kind.
func (s *Server) prefixed(req *kindredv1.EmbedRequest) []string {
	prefix := s.config.DocumentPrefix
	if req.GetKind() == kindredv1.EmbedKind_EMBED_KIND_QUERY {
		prefix = s.config.QueryPrefix
	}
	if prefix == "" {
		return req.GetTexts()
	}
	texts := make([]string, len(req.GetTexts()))
	for i, text := range req.GetTexts() {
		if strings.TrimSpace(text) != "" { // what says nothing stays so
			texts[i] = prefix + text
		}
	}
	return texts
}

func (s *Server) encode(ctx context.Context, call batch.Call) (*kindredv1.EmbedResponse, error) {
	dim := s.batcher.Info().Dim
	buffer := s.vectors.Get().(*[]float32)
	defer s.vectors.Put(buffer)
	if n := len(call.Texts) * dim; cap(*buffer) < n {
		*buffer = make([]float32, n)
	} else {
		*buffer = (*buffer)[:n]
	}
	receipt, err := s.batcher.Do(ctx, call, *buffer)
	if err != nil {
		err := s.logged(ctx, err)
		return nil, err
	}
	return &kindredv1.EmbedResponse{
		Model: s.model, Dimension: int32(dim), Vectors: wire.PackVectors(*buffer), Truncated: int32(receipt.Truncated),
		Times: &kindredv1.EmbedTimes{
			QueueTimeNs: receipt.Queue.Nanoseconds(), TokenizeTimeNs: receipt.Tokenize.Nanoseconds(), RunTimeNs: receipt.Run.Nanoseconds(),
		},
	}, nil
}

func (s *Server) logged(ctx context.Context, err error) error {
	st := statusOf(err)
	if code := status.Code(st); code == codes.Internal || errors.Is(err, batch.ErrOutOfMemory) {
		s.config.Log.ErrorContext(ctx, "encoding failed", "error", err)
	}
	return st
}

// EmbedHistories makes vectors of what users did.
func (s *Server) EmbedHistories(stream grpc.BidiStreamingServer[kindredv1.EmbedHistoriesRequest, kindredv1.EmbedHistoriesResponse]) error {
	if s.config.Histories == nil {
		return errNoHistories
	}
	return s.config.Histories.EmbedHistories(stream)
}

// UploadBundle takes a bundle to make them by.
func (s *Server) UploadBundle(stream grpc.ClientStreamingServer[kindredv1.UploadBundleRequest, kindredv1.UploadBundleResponse]) error {
	if s.config.Histories == nil {
		return errNoHistories
	}
	return s.config.Histories.UploadBundle(stream)
}

var errNoHistories = status.Error(codes.Unimplemented, "this worker makes no vectors of histories: start it with --bundles DIR")

// Info tells the model, the limits and the counters.
func (s *Server) Info(context.Context, *kindredv1.EmbeddingServiceInfoRequest) (*kindredv1.EmbeddingServiceInfoResponse, error) {
	info, stats := s.batcher.Info(), s.batcher.Stats()
	reply := &kindredv1.EmbeddingServiceInfoResponse{
		Model: s.model, Dimension: int32(info.Dim), MaxTokens: int32(info.MaxTokens), MaxBytes: int32(s.maxBytes),
		Backend: s.config.Backend, MaxTexts: int32(s.config.MaxTexts), MaxTextBytes: int32(s.maxBytes + utf8.UTFMax),
		MaxRequestBytes: int32(s.config.MaxRequestBytes), StreamWindow: int32(s.config.StreamWindow),
		Counters: &kindredv1.EmbedCounters{
			Texts: int64(stats.Texts), Truncated: int64(stats.Truncated), Batches: int64(stats.Batches),
			TokenizeTimeNs: stats.Tokenize.Total.Nanoseconds(), RunTimeNs: stats.Run.Total.Nanoseconds(),
			QueuedTexts:  int64(stats.Interactive.Texts + stats.Bulk.Texts),
			Refused:      int64(stats.Interactive.Refused + stats.Bulk.Refused),
			PaddingShare: stats.PaddingShare(), MeanFill: stats.MeanFill(), Shapes: int32(stats.Shapes),
		},
	}
	if s.config.Histories != nil {
		reply.Histories = s.config.Histories.Info()
	}
	return reply, nil
}
