package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Source is where logs come from. Order is of no matter. An error of the visit ends a reading and is returned.
type Source interface {
	// Decisions since a time; zero: all.
	Decisions(ctx context.Context, since time.Time, visit func(*kindredv1.Decision) error) error
	Events(ctx context.Context, visit func(*kindredv1.Event) error) error
	// Variants of the experiment with the shares of users meant for them, the control first; nil: the source does not know.
	Variants(ctx context.Context, name string) ([]VariantShare, error)
}

// VariantShare is a variant and its part of the users, above 0.
type VariantShare struct {
	Name  string
	Share float64
}

// Server reads from a running server. The connection must carry a key of role scientist or admin.
func Server(conn grpc.ClientConnInterface) Source {
	return server{kindredv1.NewAdminServiceClient(conn), kindredv1.NewExperimentServiceClient(conn)}
}

type server struct {
	admin       kindredv1.AdminServiceClient
	experiments kindredv1.ExperimentServiceClient
}

func (s server) Decisions(ctx context.Context, since time.Time, visit func(*kindredv1.Decision) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a stream that is left early
	request := &kindredv1.ExportDecisionsRequest{}
	if !since.IsZero() {
		request.FromTime = timestamppb.New(since)
	}
	stream, err := s.admin.ExportDecisions(ctx, request)
	if err != nil {
		return fmt.Errorf("experiment: export decisions: %w", err)
	}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("experiment: export decisions: %s", status.Convert(err).Message())
		}
		for _, d := range page.Decisions {
			if err := visit(d); err != nil {
				return err
			}
		}
	}
}

func (s server) Events(ctx context.Context, visit func(*kindredv1.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.admin.ExportEvents(ctx, &kindredv1.ExportEventsRequest{})
	if err != nil {
		return fmt.Errorf("experiment: export events: %w", err)
	}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("experiment: export events: %s", status.Convert(err).Message())
		}
		for _, e := range page.Events {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
}

func (s server) Variants(ctx context.Context, name string) ([]VariantShare, error) {
	reply, err := s.experiments.GetExperiment(ctx, &kindredv1.GetExperimentRequest{Name: name})
	if err != nil {
		return nil, fmt.Errorf("experiment: %q: %s", name, status.Convert(err).Message())
	}
	var variants []VariantShare
	for _, v := range reply.GetExperiment().GetVariants() {
		if v.Share > 0 {
			variants = append(variants, VariantShare{v.Name, v.Share})
		}
	}
	return variants, nil
}

// Files reads from two files of JSON: messages of ExportDecisions and ExportEvents as grpcurl prints them, or one Decision or
// Event after the other.
func Files(decisions, events string) Source { return files{decisions, events} }

type files struct{ decisions, events string }

func (f files) Decisions(_ context.Context, since time.Time, visit func(*kindredv1.Decision) error) error {
	return eachMessage(f.decisions, func(text []byte, isPage bool) error {
		page := &kindredv1.ExportDecisionsResponse{}
		if err := readPage(text, isPage, page, func() proto.Message {
			page.Decisions = []*kindredv1.Decision{{}}
			return page.Decisions[0]
		}); err != nil {
			return err
		}
		for _, d := range page.Decisions {
			if d.Time.AsTime().Before(since) {
				continue
			}
			if err := visit(d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f files) Events(_ context.Context, visit func(*kindredv1.Event) error) error {
	return eachMessage(f.events, func(text []byte, isPage bool) error {
		page := &kindredv1.ExportEventsResponse{}
		if err := readPage(text, isPage, page, func() proto.Message {
			page.Events = []*kindredv1.Event{{}}
			return page.Events[0]
		}); err != nil {
			return err
		}
		for _, e := range page.Events {
			if err := visit(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (files) Variants(context.Context, string) ([]VariantShare, error) { return nil, nil }

// readPage reads a page, or a single row that it then holds.
func readPage(text []byte, isPage bool, page proto.Message, single func() proto.Message) error {
	if isPage {
		return protojson.Unmarshal(text, page)
	}
	return protojson.Unmarshal(text, single())
}

// maxMessage bounds one JSON value of a file.
const maxMessage = 64 << 20

// eachMessage hands on the JSON values of a file, and whether each is a page of rows rather than one row.
func eachMessage(path string, visit func(text []byte, isPage bool) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	defer f.Close()
	in := &budget{in: f, left: maxMessage}
	values := json.NewDecoder(in)
	for n := 1; ; n++ {
		var text json.RawMessage
		switch err := values.Decode(&text); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("experiment: %s: JSON value %d, before byte %d: %w", path, n, values.InputOffset(), err)
		}
		in.left = maxMessage
		var page struct{ Decisions, Events json.RawMessage }
		if err := json.Unmarshal(text, &page); err != nil {
			return fmt.Errorf("experiment: %s: JSON value %d: %w", path, n, err)
		}
		if err := visit(text, page.Decisions != nil || page.Events != nil); err != nil {
			return fmt.Errorf("experiment: %s: JSON value %d: %w", path, n, err)
		}
	}
}

// budget ends a reading that goes on for too long.
type budget struct {
	in   io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("longer than %d bytes", maxMessage)
	}
	n, err := b.in.Read(p)
	b.left -= n
	return n, err
}
