package service_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// testModel is a trained model whose answers are known beforehand.
type testModel struct {
	Size int `json:"dim"`
	// Likeness, if not 0, is the inner product of every user with every item.
	Likeness float32 `json:"likeness,omitempty"`
	// Favourite, if set, is the item that everybody is nearest to.
	Favourite string `json:"favourite,omitempty"`
	Padding   string `json:"padding,omitempty"`
	// Else an item's vector is the first components of its text's, and a user's the mean.

	gate <-chan struct{} // items wait for it; nil: they do not
}

func (m *testModel) Dim() int { return m.Size }

func (m *testModel) Window() int { return 50 }

func (m *testModel) ItemVector(dst, text []float32, id string) bool {
	if m.gate != nil {
		<-m.gate
	}
	clear(dst)
	switch {
	case m.Likeness != 0:
		dst[0] = 1
	case m.Favourite != "":
		if dst[1] = 1; id == m.Favourite {
			dst[0], dst[1] = 1, 0
		}
	default:
		return normalized(dst[:copy(dst, text)])
	}
	return true
}

func (m *testModel) Encode(dst []float32, acts []shops.Act) bool {
	clear(dst)
	if m.Likeness == 0 && m.Favourite == "" {
		for _, a := range acts {
			for i, x := range a.Vector {
				dst[i] += a.Weight * x
			}
		}
		return normalized(dst)
	}
	if len(acts) == 0 {
		return false
	}
	if dst[0] = 1; m.Likeness != 0 {
		dst[0], dst[1] = m.Likeness, float32(math.Sqrt(1-float64(m.Likeness)*float64(m.Likeness)))
	}
	return true
}

func normalized(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return false
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return true
}

const testModelFile = "model.json"

// readTestModel is what a service loads test models with.
func readTestModel(b *bundle.Bundle) (shops.Behaviour, error) {
	raw, err := b.ReadFile(testModelFile)
	if err != nil {
		return nil, err
	}
	m := &testModel{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, err
	}
	if n := b.Manifest().BehaviourDim; m.Size != n {
		return nil, fmt.Errorf("%w: its weights have dimension %d, its manifest says %d", shops.ErrUnfit, m.Size, n)
	}
	return m, nil
}

// withModels lets a service load test models. Each of them waits at the gate for item
// vectors while one is set.
func withModels(gate *atomic.Pointer[chan struct{}]) func(*service.Config) {
	return func(c *service.Config) {
		c.Shop.Models.Load = func(b *bundle.Bundle) (shops.Behaviour, error) {
			m, err := readTestModel(b)
			if err == nil && gate != nil {
				if g := gate.Load(); g != nil {
					m.(*testModel).gate = *g
				}
			}
			return m, err
		}
	}
}

// pack makes a bundle of a model for the client's tenant and returns it as an archive.
func (c *client) pack(m testModel, edits ...func(*bundle.Manifest)) (archive []byte, hash string) {
	c.t.Helper()
	st := c.status()
	about := bundle.Manifest{
		Created:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		TextEncoder: bundle.Space{Name: st.Encoder, Dim: int(st.VectorDimension)}, BehaviourDim: m.Size,
		Metrics: []bundle.Metric{{Name: "ndcg_at_10", Part: "test", Value: 0.1, Seed: 1}}, Code: bundle.ThisBuild(),
	}
	for _, edit := range edits {
		edit(&about)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := bundle.Write(c.t.TempDir(), about, map[string]bundle.Payload{
		testModelFile: func(w io.Writer) error { _, err := w.Write(raw); return err },
	}, bundle.Limits{})
	if err != nil {
		c.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.Stream(&out); err != nil {
		c.t.Fatal(err)
	}
	return out.Bytes(), string(b.Hash())
}

// send uploads an archive in small pieces.
func (c *client) send(archive []byte) (*kindredv1.UploadModelResponse, error) {
	c.t.Helper()
	stream, err := c.models.UploadModel(ctx(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	for len(archive) > 0 {
		n := min(len(archive), 700)
		if err := stream.Send(&kindredv1.UploadModelRequest{Chunk: archive[:n]}); err != nil {
			break // what the service has against it comes with the answer
		}
		archive = archive[n:]
	}
	return stream.CloseAndRecv()
}

// uploaded has the service keep a model and returns its hash.
func (c *client) uploaded(m testModel, edits ...func(*bundle.Manifest)) string {
	c.t.Helper()
	archive, hash := c.pack(m, edits...)
	if _, err := c.send(archive); err != nil {
		c.t.Fatal(err)
	}
	return hash
}

// promoted has a model serve.
func (c *client) promoted(hash string) *kindredv1.PromoteModelResponse {
	c.t.Helper()
	reply, err := c.models.PromoteModel(ctx(c.t), &kindredv1.PromoteModelRequest{Hash: hash, Force: true, MaxWait: durationpb.New(20 * time.Second)})
	if err != nil || !reply.Serving {
		c.t.Fatalf("model %.12s does not serve: %v %v", hash, reply, err)
	}
	return reply
}

// listed says which models there are.
func (c *client) listed() *kindredv1.ListModelsResponse {
	c.t.Helper()
	return must(c.models.ListModels(ctx(c.t), &kindredv1.ListModelsRequest{}))
}

// modelFolder is where the default tenant keeps a model.
func (s *shop) modelFolder(hash string) string {
	return filepath.Join(s.config.Data, "models", "1", hash)
}

// modelOf is the part of a generation's id that names its model; "" for none.
func modelOf(generation string) string {
	_, model, _ := strings.Cut(generation, "/bundle:")
	return model
}

// favourite is the item that a model says a subject is nearest to; "" if none is nearer
// than all others.
func (c *client) favourite(who *kindredv1.Subject) string {
	c.t.Helper()
	id := c.recommend(&kindredv1.RecommendRequest{Subject: who, Limit: 50}).RecommendationId
	for _, d := range c.decisions() {
		if d.RecommendationId != id {
			continue
		}
		for i, x := range similarities(c.t, d) {
			if x == 1 {
				return d.Items[i].ItemId
			}
		}
	}
	return ""
}

// similarities returns the feature user_similarity of all items of a decision.
func similarities(t *testing.T, d *kindredv1.Decision) []float32 {
	t.Helper()
	for i, name := range d.FeatureNames {
		if name == "user_similarity" {
			var list []float32
			for _, it := range d.Items {
				list = append(list, it.Features[i])
			}
			return list
		}
	}
	t.Fatalf("no feature user_similarity among %v", d.FeatureNames)
	return nil
}
