package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

type modelsCommand struct {
	List     modelsList     `cmd:"" help:"List trained models, and which one serves."`
	Show     modelsShow     `cmd:"" help:"All that is known of a model."`
	Upload   modelsUpload   `cmd:"" help:"Send a model: a bundle's folder, or an archive of one."`
	Download modelsDownload `cmd:"" help:"Fetch a model into a folder."`
	Evaluate modelsEvaluate `cmd:"" help:"Compare a model with what serves, on what people did lately."`
	Promote  modelsPromote  `cmd:"" help:"Have a model serve, if it is not worse than what does."`
	Rollback modelsRollback `cmd:"" help:"Have serve what did before."`
}

// modelsAddr says which running service to ask, and how to print.
type modelsAddr struct {
	Addr    string `placeholder:"HOST:PORT" xor:"target" help:"Address of a running service."`
	KeyFile string `type:"existingfile" placeholder:"FILE" help:"API key of a scientist or admin, in a file."`
	Key     string `env:"KINDRED_KEY" help:"The key itself, where there is no file."`
	clientTLS
	JSON bool `name:"json" help:"Print JSON."`
}

// with connects to the service for fn.
func (a *modelsAddr) with(ctx context.Context, fn func(context.Context, kindredv1.ModelServiceClient) error) error {
	if a.Addr == "" {
		return errors.New("models: give --addr of a running service")
	}
	key := a.Key
	if a.KeyFile != "" {
		raw, err := os.ReadFile(a.KeyFile)
		if err != nil {
			return fmt.Errorf("models: %w", err)
		}
		key = strings.TrimSpace(string(raw))
	}
	if key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	conn, err := a.dial(a.Addr)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if err := fn(ctx, kindredv1.NewModelServiceClient(conn)); err != nil {
		return errors.Join(fmt.Errorf("models: %s", plain(err)), conn.Close())
	}
	return conn.Close()
}

// print writes a reply as a line of JSON, or as text does.
func (a *modelsAddr) print(reply proto.Message, text func() error) error {
	if !a.JSON {
		return text()
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(reply)
	if err != nil {
		return err
	}
	var line json.RawMessage = raw
	return json.NewEncoder(os.Stdout).Encode(line) // one form of spaces
}

// modelsTarget is a running service, or a store that is not served.
type modelsTarget struct {
	modelsAddr
	Data   string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of a store that no service has open."`
	Tenant string `default:"default" help:"With --data: whose models."`
}

// list asks whichever target is given.
func (t *modelsTarget) list(ctx context.Context) (*kindredv1.ListModelsResponse, error) {
	var reply *kindredv1.ListModelsResponse
	if t.Data != "" {
		return storedModels(ctx, t.Data, t.Tenant)
	}
	if t.Addr == "" {
		return nil, errors.New("models: give --addr of a running service, or --data of a store that no service has open")
	}
	err := t.with(ctx, func(ctx context.Context, c kindredv1.ModelServiceClient) (err error) {
		reply, err = c.ListModels(ctx, &kindredv1.ListModelsRequest{})
		return err
	})
	return reply, err
}

type modelsList struct{ modelsTarget }

// Help is what `models list --help` says beyond its flags.
func (modelsList) Help() string {
	return `Example:
  kindred models list --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run lists models.
func (c *modelsList) Run(ctx context.Context) error {
	reply, err := c.list(ctx)
	if err != nil {
		return err
	}
	return c.print(reply, func() error { return printModels(os.Stdout, reply, c.Data == "") })
}

type modelsShow struct {
	modelsTarget
	Hash string `arg:"" help:"The model's hash, or its first digits."`
}

// Help is what `models show --help` says beyond its flags.
func (modelsShow) Help() string {
	return `Example:
  kindred models show 3f1c9a --addr 127.0.0.1:50051`
}

// Run shows one model.
func (c *modelsShow) Run(ctx context.Context) error {
	var m *kindredv1.Model
	if c.Data != "" {
		list, err := c.list(ctx)
		if err != nil {
			return err
		}
		if m, err = oneModel(list, c.Hash); err != nil {
			return err
		}
	} else if err := c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		reply, err := client.GetModel(ctx, &kindredv1.GetModelRequest{Hash: c.Hash})
		m = reply.GetModel()
		return err
	}); err != nil {
		return err
	}
	return c.print(m, func() error { return printModel(os.Stdout, m) })
}

type modelsUpload struct {
	modelsAddr
	Path string `arg:"" type:"existing" help:"A bundle's folder, or an archive that models download wrote."`
}

// Help is what `models upload --help` says beyond its flags.
func (modelsUpload) Help() string {
	return `Example:
  kindred models upload bundles/3f1c9a… --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run sends a model. A folder is verified before anything is sent.
func (c *modelsUpload) Run(ctx context.Context) error {
	write, err := archiveOf(c.Path)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		stream, err := client.UploadModel(ctx)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(upload{stream}, 1<<20)
		if err := errors.Join(write(out), out.Flush()); err != nil && !errors.Is(err, io.EOF) {
			return err // EOF: what the service has against it comes with the answer
		}
		reply, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			fmt.Printf("model %s is kept (%s)\n", short(reply.Model.Hash), size(reply.Model.SizeBytes))
			for _, h := range reply.RemovedHashes {
				fmt.Printf("model %s was removed for it\n", short(h))
			}
			fmt.Printf("compare it with what serves: kindred models evaluate %s --addr %s\n", short(reply.Model.Hash), c.Addr)
			return nil
		})
	})
}

// archiveOf is what writes a model's archive.
func archiveOf(path string) (func(io.Writer) error, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return bundle.CopyFile(path), nil
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Open(path, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	return b.Stream, nil
}

// upload sends bytes in messages.
type upload struct {
	stream kindredv1.ModelService_UploadModelClient
}

// Write implements io.Writer.
func (u upload) Write(p []byte) (n int, err error) {
	for n < len(p) {
		end := min(len(p), n+1<<20)
		if err := u.stream.Send(&kindredv1.UploadModelRequest{Chunk: p[n:end]}); err != nil {
			return n, err
		}
		n = end
	}
	return n, nil
}

type modelsDownload struct {
	modelsAddr
	Hash string `arg:"" help:"The model's hash, or its first digits."`
	Out  string `default:"." type:"path" placeholder:"DIR" help:"Folder to put the bundle's folder in."`
}

// Help is what `models download --help` says beyond its flags.
func (modelsDownload) Help() string {
	return `Example:
  kindred models download 3f1c9a --out bundles --addr 127.0.0.1:50051`
}

// Run fetches a model and verifies it.
func (c *modelsDownload) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		stream, err := client.DownloadModel(ctx, &kindredv1.DownloadModelRequest{Hash: c.Hash})
		if err != nil {
			return err
		}
		b, err := bundle.Receive(c.Out, &download{stream: stream}, bundle.Limits{})
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(map[string]string{"hash": string(b.Hash()), "path": b.Dir()})
		}
		fmt.Println(b.Dir())
		return nil
	})
}

// download reads the bytes of messages.
type download struct {
	stream kindredv1.ModelService_DownloadModelClient
	left   []byte
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	for len(d.left) == 0 {
		msg, err := d.stream.Recv()
		if err != nil {
			return 0, err
		}
		d.left = msg.Chunk
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

// modelsCases says which cases a comparison takes.
type modelsCases struct {
	Cases int32  `default:"300" help:"Persons to compare on, at most 10,000."`
	Seed  uint64 `default:"1" help:"Draws them."`
}

func (c modelsCases) wire() *kindredv1.EvaluationSettings {
	return &kindredv1.EvaluationSettings{Cases: c.Cases, Seed: c.Seed}
}

type modelsEvaluate struct {
	modelsAddr
	modelsCases
	Hash string `arg:"" help:"The model's hash, or its first digits."`
}

// Help is what `models evaluate --help` says beyond its flags.
func (modelsEvaluate) Help() string {
	return `Each case is a person's history without its last item, which is to be found among ten.

Example:
  kindred models evaluate 3f1c9a --addr 127.0.0.1:50051`
}

// Run compares a model with what serves.
func (c *modelsEvaluate) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		reply, err := client.EvaluateModel(ctx, &kindredv1.EvaluateModelRequest{Hash: c.Hash, Settings: c.wire()})
		if err != nil {
			return err
		}
		return c.print(reply.Comparison, func() error {
			if err := printComparison(os.Stdout, reply.Comparison); err != nil {
				return err
			}
			fmt.Printf("\nhave it serve: kindred models promote %s --addr %s\n", short(reply.Comparison.CandidateHash), c.Addr)
			return nil
		})
	})
}

type modelsPromote struct {
	modelsAddr
	modelsCases
	Hash string `arg:"" help:"The model's hash, or its first digits."`

	MinOverlap      *float64       `placeholder:"SHARE" help:"Least share of items that both lists have, 0 to 1. Not set: any."`
	MinNDCGRatio    *float64       `name:"min-ndcg-ratio" placeholder:"RATIO" help:"Least NDCG@10 by that of what serves. Not set: 0.9, and not worse by more than chance explains, where there are cases enough."`
	MinHitRateRatio *float64       `placeholder:"RATIO" help:"Least hit rate by that of what serves. Not set: any."`
	MinRecall       *float64       `placeholder:"SHARE" help:"Least share of the exact nearest that the index finds. Not set: 0.95."`
	MaxP99          *time.Duration `name:"max-p99" placeholder:"DURATION" help:"Longest time of the slowest hundredth of rankings. Not set: the median is bounded, at 50ms."`
	MinCases        int32          `default:"50" help:"Persons that a figure must be of."`
	Force           bool           `help:"Promote although thresholds do not hold, or another promotion is being built."`
	Note            string         `help:"Kept with the promotion."`
	Wait            time.Duration  `default:"1m" help:"How long to wait until it serves, at most 10m; 0: not."`
}

// Help is what `models promote --help` says beyond its flags.
func (modelsPromote) Help() string {
	return `What serves goes on until the model is built; no request waits or fails.

Examples:
  kindred models promote 3f1c9a --addr 127.0.0.1:50051 --key-file scientist.key
  kindred models promote 3f1c9a --addr 127.0.0.1:50051 --min-ndcg-ratio 1 --min-overlap 0.3`
}

// Run promotes a model.
func (c *modelsPromote) Run(ctx context.Context) error {
	ask := &kindredv1.PromoteModelRequest{
		Hash: c.Hash, Settings: c.wire(), Force: c.Force, Note: c.Note, MaxWait: durationpb.New(c.Wait),
		Thresholds: &kindredv1.PromotionThresholds{
			MinOverlapAt_10: c.MinOverlap, MinNdcgRatio: c.MinNDCGRatio, MinHitRateRatio: c.MinHitRateRatio,
			MinIndexRecall: c.MinRecall, MinCases: c.MinCases,
		},
	}
	if c.MaxP99 != nil {
		ask.Thresholds.MaxLatencyP99Us = proto.Float64(float64(c.MaxP99.Nanoseconds()) / 1e3)
	}
	return c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		reply, err := client.PromoteModel(ctx, ask)
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			if reply.Comparison != nil {
				if err := printComparison(os.Stdout, reply.Comparison); err != nil {
					return err
				}
				fmt.Println()
			}
			return printPromoted(os.Stdout, reply.Promotion, reply.Serving, reply.Generation, c.Addr)
		})
	})
}

type modelsRollback struct {
	modelsAddr
	Note string        `help:"Kept with the promotion."`
	Wait time.Duration `default:"1m" help:"How long to wait until it serves, at most 10m; 0: not."`
}

// Help is what `models rollback --help` says beyond its flags.
func (modelsRollback) Help() string {
	return `Example:
  kindred models rollback --addr 127.0.0.1:50051 --key-file scientist.key`
}

// Run goes back to what served before.
func (c *modelsRollback) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, client kindredv1.ModelServiceClient) error {
		reply, err := client.RollbackModel(ctx, &kindredv1.RollbackModelRequest{Note: c.Note, MaxWait: durationpb.New(c.Wait)})
		if err != nil {
			return err
		}
		return c.print(reply, func() error {
			return printPromoted(os.Stdout, reply.Promotion, reply.Serving, reply.Generation, c.Addr)
		})
	})
}
