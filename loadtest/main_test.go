package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// call runs a command line and gives its exit code, standard output and standard error.
func call(t *testing.T, args ...string) (code int, out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	code = run(t.Context(), args, &o, &l)
	return code, o.String(), l.String()
}

// lastObject is the JSON object on the last line of an output.
func lastObject(t *testing.T, out string) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var object map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
		t.Fatalf("the last line is not one JSON object: %v\n%s", err, out)
	}
	return object
}

// startService serves on loopback with an empty store until the test ends.
func startService(t *testing.T) (addr string) {
	t.Helper()
	s, err := service.Start(t.Context(), service.Config{Data: t.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

// writeShop writes a small shop whose buyers go through a shelf in one order, so that what comes next can be learned.
func writeShop(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var items, events strings.Builder
	for i := range 40 {
		fmt.Fprintf(&items, `{"id":"i%02d","title":"%s number %d"}`+"\n", i, []string{"Gel pen", "Stapler", "Notebook", "Desk lamp"}[i%4], i)
	}
	start := time.Now().Add(-24 * time.Hour).Truncate(time.Second).UTC()
	for n := range 400 {
		user, step := n%20, n/20
		fmt.Fprintf(&events, `{"user":"u%d","item":"i%02d","type":"view","time":%q}`+"\n", user, (user*2+step)%40,
			start.Add(time.Duration(n)*time.Minute).Format(time.RFC3339))
	}
	for name, text := range map[string]string{"items.jsonl": items.String(), "events.jsonl": events.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The whole way: a catalog and a log go into a server that recommends from them, and then it carries load.
func TestReplayThenLoadAgainstTheService(t *testing.T) {
	addr, shop := startService(t), writeShop(t)
	picture := filepath.Join(t.TempDir(), "replay.html")
	from := []string{"--addr", addr, "--format", "jsonl", "--data", shop}

	code, _, log := call(t, append([]string{"replay"}, from...)...)
	if code != 1 || !strings.Contains(log, "--import-items") {
		t.Fatalf("replay without a catalog: code %d, %q", code, log)
	}
	code, out, log := call(t, append([]string{"replay", "--import-items", "--json", "--report", picture}, from...)...)
	if code != 0 {
		t.Fatalf("replay: code %d, %s", code, log)
	}
	figures := lastObject(t, out)
	if figures["events"] != 400.0 || figures["asks"] != 360.0 || figures["lag_share"] != 0.0 || figures["rejected"] != 0.0 {
		t.Errorf("replay: %v", figures)
	}
	// Of 40 items ten by chance hit a quarter of the time; the order of the shelf is there to be learned.
	if hr := figures["hr_at_10"].(float64); hr < 0.3 {
		t.Errorf("replay: HR@10 %v is what chance gives", hr)
	}
	if page, err := os.ReadFile(picture); err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("report: %v", err)
	}
	if code, _, log = call(t, append([]string{"replay"}, from...)...); code != 1 || !strings.Contains(log, "knows events of this log already") {
		t.Errorf("second replay: code %d, %q", code, log)
	}

	code, out, log = call(t, append([]string{"load", "--rate", "60", "--duration", "1s", "--warm-up", "200ms", "--empty", "300ms", "--json",
		"--mix", "recommend=3,event=1,similar=1,search=1,rank=1,patch=1"}, from...)...)
	if code != 0 {
		t.Fatalf("load: code %d, %s", code, log)
	}
	figures = lastObject(t, out)
	if failed := figures["errors"].(map[string]any); len(failed) != 0 || figures["row_errors"] != 0.0 {
		t.Errorf("load: errors %v, samples %v, row errors %v", failed, figures["error_samples"], figures["row_errors"])
	}
	if figures["empty_rps"].(float64) <= figures["achieved_rps"].(float64) || figures["items_mean"].(float64) < 5 {
		t.Errorf("load: %s", out)
	}
	for _, stream := range []string{"--stream=false", "--stream=true"} {
		code, out, log = call(t, "load", "--addr", addr, "--mode", "events", "--duration", "500ms", "--warm-up", "0s", "--writers", "2", stream, "--json")
		if code != 0 || lastObject(t, out)["events_per_s"].(float64) <= 0 || lastObject(t, out)["events_rejected"] != 0.0 {
			t.Errorf("events: code %d, %s %s", code, out, log)
		}
	}
}

func TestEvaluatePrintsTheAgreedFigures(t *testing.T) {
	code, out, log := call(t, "evaluate", "--format", "jsonl", "--data", writeShop(t), "--json")
	if code != 0 {
		t.Fatalf("code %d, %s", code, log)
	}
	figures := lastObject(t, out)
	for _, name := range []string{"hr_at_5", "hr_at_10", "ndcg_at_10", "mrr", "coverage", "seconds"} {
		if _, has := figures[name]; !has {
			t.Errorf("no %s in %s", name, out)
		}
	}
	if code, out, _ = call(t, "evaluate", "--format", "jsonl", "--data", writeShop(t)); code != 0 || !strings.Contains(out, "NDCG@10") {
		t.Errorf("table: code %d, %s", code, out)
	}
}

// writeNPY writes a two-dimensional array as numpy does.
func writeNPY[T float32 | int32](t *testing.T, path string, rows int, values []T) {
	t.Helper()
	kind := "<f4"
	if _, whole := any(values).([]int32); whole {
		kind = "<i4"
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", kind, rows, len(values)/rows)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	err := errors.Join(binary.Write(&b, binary.LittleEndian, uint16(len(header))), binary.Write(&b, binary.LittleEndian, []byte(header)),
		binary.Write(&b, binary.LittleEndian, values), os.WriteFile(path, b.Bytes(), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

func TestIndexPrintsALineForEachEf(t *testing.T) {
	const n, dim, queries = 200, 8, 5
	random := rand.New(rand.NewPCG(1, 1))
	base := make([]float32, 0, n*dim)
	for range n {
		v := make([]float64, dim)
		length := 0.0
		for i := range v {
			v[i] = random.NormFloat64()
			length += v[i] * v[i]
		}
		for _, x := range v {
			base = append(base, float32(x/math.Sqrt(length)))
		}
	}
	var truth []int32
	for q := range queries {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(i)
		}
		dot := func(id int32) (sum float64) {
			for i := range dim {
				sum += float64(base[q*dim+i]) * float64(base[int(id)*dim+i])
			}
			return sum
		}
		slices.SortFunc(ids, func(a, b int32) int { return cmp.Compare(dot(b), dot(a)) })
		truth = append(truth, ids[:10]...)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeNPY(t, file("base.npy"), n, base)
	writeNPY(t, file("queries.npy"), queries, base[:queries*dim])
	writeNPY(t, file("truth.npy"), queries, truth)
	files := []string{"index", "--vectors", file("base.npy"), "--queries", file("queries.npy"), "--truth", file("truth.npy")}
	for engine, lines := range map[string]int{"flat": 1, "hnsw": 2} {
		code, out, log := call(t, append(files, "--engine", engine, "--ef", "100,200")...)
		if code != 0 || strings.Count(out, "\n") != lines {
			t.Errorf("%s: code %d, %s%s", engine, code, out, log)
			continue
		}
		object := lastObject(t, out)
		for _, name := range []string{"engine", "recall_at_10", "us_per_query", "build_per_s", "bytes_per_vector"} {
			if _, has := object[name]; !has {
				t.Errorf("no %s in %s", name, out)
			}
		}
		if recall := object["recall_at_10"].(float64); recall < 0.98 {
			t.Errorf("%s: recall %v of %d vectors at ef 200", engine, recall, n)
		}
	}
}

func TestWrongUseIsTold(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"load", "--mode", "x"}, 2, "mode"},
		{[]string{"load", "--mix", "browse=1"}, 1, "recommend, event"},
		{[]string{"load", "--addr", "127.0.0.1:1", "--rate", "10"}, 1, "no server answers at 127.0.0.1:1"},
		{[]string{"replay"}, 1, "--format and --data"},
		{[]string{"evaluate", "--format", "amazon", "--data", "/nonexistent"}, 1, "/nonexistent"},
		{[]string{"index"}, 2, "--queries"},
	} {
		code, _, log := call(t, c.args...)
		if code != c.code || !strings.Contains(log, c.want) || strings.Count(log, "\n") != 1 {
			t.Errorf("%v: code %d, %q; want %d and one line with %q", c.args, code, log, c.code, c.want)
		}
	}
}

func TestHelpHoldsAnExample(t *testing.T) {
	for _, command := range []string{"evaluate", "replay", "load", "index"} {
		code, out, _ := call(t, command, "--help")
		if code != 0 || !strings.Contains(out, "go run ./loadtest "+command) {
			t.Errorf("%s --help: code %d, no example in\n%s", command, code, out)
		}
	}
}

func TestInterruptEndsACommandInOneLine(t *testing.T) {
	addr := startService(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel)
	var out, log bytes.Buffer
	code := run(ctx, []string{"load", "--addr", addr, "--rate", "20", "--duration", "1h", "--empty", "0", "--mix", "recommend=1"}, &out, &log)
	if code != 1 || log.String() != "loadtest: interrupted\n" {
		t.Errorf("code %d, %q", code, log.String())
	}
}
