package histories_test

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed/remote/histories"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// raw is a worker's service as any client sees it.
func raw(t *testing.T, w *worker) kindredv1.EmbeddingServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(w.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return kindredv1.NewEmbeddingServiceClient(conn)
}

func ask(t *testing.T, c kindredv1.EmbeddingServiceClient, requests ...*kindredv1.EmbedHistoriesRequest) error {
	t.Helper()
	stream, err := c.EmbedHistories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if stream.Send(r) != nil {
			break
		}
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

func TestBoundsAreRefusedByName(t *testing.T) {
	b := pack(t, 1, plain)
	w := start(t, histories.Config{Dir: t.TempDir(), MaxUsers: 2, MaxRequestEvents: 3, MaxTableItems: 2, MaxTableBytes: 1 << 10, MaxRequestBytes: 128 << 10})
	open(t, dial(t, w, keep), b).Close()
	c, hash := raw(t, w), string(b.Hash())
	first := &kindredv1.EmbedHistoriesRequest{Id: 1, Bundle: hash, Items: []string{"a"}, Texts: make([]byte, 4*textDim)}
	history := func(n int) *kindredv1.History {
		return &kindredv1.History{Items: make([]uint32, n), Types: make([]uint32, n), Weights: make([]float32, n)}
	}
	types := []string{"view"}
	spoiled := history(1)
	spoiled.Weights[0] = float32(math.NaN())
	beyond := history(1)
	beyond.Items[0] = 1
	unnamed := history(1)
	unnamed.Types[0] = 1
	ragged := history(1)
	ragged.Times = []int64{1, 2}
	for _, test := range []struct {
		field, says string
		second      *kindredv1.EmbedHistoriesRequest
	}{
		{"id", "1 after 1", &kindredv1.EmbedHistoriesRequest{Id: 1}},
		{"(id 2) bundle", "open another stream", &kindredv1.EmbedHistoriesRequest{Id: 2, Bundle: strings.Repeat("0", 64)}},
		{"(id 2) items", "3 items in the stream's table, at most 2", &kindredv1.EmbedHistoriesRequest{Id: 2, Items: []string{"b", "c"}, Texts: make([]byte, 8*textDim)}},
		{"(id 2) items", "at most 1024 may be", &kindredv1.EmbedHistoriesRequest{Id: 2, Items: []string{strings.Repeat("b", 1000)}, Texts: make([]byte, 4*textDim)}},
		{"(id 2) texts", "4 bytes for 1 items, want 96", &kindredv1.EmbedHistoriesRequest{Id: 2, Items: []string{"b"}, Texts: make([]byte, 4)}},
		{"(id 2) texts", "not finite", &kindredv1.EmbedHistoriesRequest{Id: 2, Items: []string{"b"}, Texts: bytes.Repeat([]byte{0xff}, 4*textDim)}},
		{"(id 2) histories", "3 users, at most 2", &kindredv1.EmbedHistoriesRequest{Id: 2, Histories: []*kindredv1.History{{}, {}, {}}}},
		{"(id 2) histories", "4 events together, at most 3", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: types, Histories: []*kindredv1.History{history(2), history(2)}}},
		{"(id 2) types", "1025 names, at most 1024", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: make([]string, 1025)}},
		{"(id 2) request", "at most 131072 may be", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: []string{strings.Repeat("x", 128<<10)}}},
		{"(id 2) histories[1].items", "2 times", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: types, Histories: []*kindredv1.History{history(1), ragged}}},
		{"(id 2) histories[0].items[0]", "row 1, the stream's table has 1", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: types, Histories: []*kindredv1.History{beyond}}},
		{"(id 2) histories[0].types[0]", "row 1, the request has 1", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: types, Histories: []*kindredv1.History{unnamed}}},
		{"(id 2) histories[0].weights[0]", "finite", &kindredv1.EmbedHistoriesRequest{Id: 2, Types: types, Histories: []*kindredv1.History{spoiled}}},
	} {
		err := ask(t, c, first, test.second)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), test.says) || violation(err) != test.field {
			t.Errorf("%s: got %v of field %q, want %q", test.field, err, violation(err), test.says)
		}
	}
	for says, r := range map[string]*kindredv1.EmbedHistoriesRequest{
		"the first request names it": {Id: 1},
		"64 hexadecimal digits":      {Id: 1, Bundle: "../../etc"},
	} {
		if err := ask(t, c, r); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func violation(err error) string {
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			return bad.FieldViolations[0].Field
		}
	}
	return ""
}

func TestAnUnknownBundleIsAPreconditionThatSaysHowToGiveIt(t *testing.T) {
	w := start(t, histories.Config{Dir: t.TempDir()})
	err := ask(t, raw(t, w), &kindredv1.EmbedHistoriesRequest{Id: 1, Bundle: strings.Repeat("ab", 32)})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "UploadBundle") {
		t.Errorf("got %v", err)
	}
}

func TestStreamsBeyondTheBoundAreToldWhenToComeBack(t *testing.T) {
	b := pack(t, 1, plain)
	w := start(t, histories.Config{Dir: t.TempDir(), MaxStreams: 1})
	open(t, dial(t, w, keep), b) // stays open
	err := ask(t, raw(t, w), &kindredv1.EmbedHistoriesRequest{Id: 1, Bundle: string(b.Hash())})
	var hint bool
	for _, d := range status.Convert(err).Details() {
		info, ok := d.(*errdetails.RetryInfo)
		hint = hint || ok && info.RetryDelay.AsDuration() > 0
	}
	if status.Code(err) != codes.ResourceExhausted || !hint {
		t.Errorf("got %v, with a hint: %v", err, hint)
	}
}

func TestADamagedUploadIsRefusedAndNothingIsKept(t *testing.T) {
	w := start(t, histories.Config{Dir: t.TempDir(), BundleBytes: 200 << 10})
	c := raw(t, w)
	b := pack(t, 1, plain)
	var whole bytes.Buffer
	if err := b.Stream(&whole); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole.Bytes())
	flipped[len(flipped)/2] ^= 1
	for name, archive := range map[string][]byte{
		"no archive": []byte("no archive"), "cut off": whole.Bytes()[:whole.Len()/2], "a bit flipped": flipped, "nothing": nil,
	} {
		stream, err := c.UploadBundle(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&kindredv1.UploadBundleRequest{Chunk: archive}); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if _, err := stream.CloseAndRecv(); status.Code(err) != codes.InvalidArgument || violation(err) != "chunk" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ask(t, c, &kindredv1.EmbedHistoriesRequest{Id: 1, Bundle: string(b.Hash())}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("something was kept: %v", err)
	}
}
