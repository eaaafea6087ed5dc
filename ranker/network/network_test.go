package network

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

// drawn is a network of random weights.
func drawn(t testing.TB, h1, h2 int) *Model {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	l := newLayers(h1, h2)
	l.start(r)
	for j := range l.last {
		l.last[j] = float32(r.NormFloat64())
		l.bias2[j] = float32(r.NormFloat64())
	}
	var c corpus
	for f := range features {
		c.mean[f], c.scale[f] = r.Float32(), 0.5+r.Float32()
	}
	m, err := New(l.parameters(ranker.DefaultWeights(), &c))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func columns(r *rand.Rand, n int) *ranker.Columns {
	var x ranker.Columns
	for f := range x {
		x[f] = make([]float32, n)
		for i := range x[f] {
			if r.IntN(2) == 0 {
				x[f][i] = float32(r.NormFloat64())
			}
		}
	}
	return &x
}

func row(x *ranker.Columns, i int) (out ranker.Features) {
	for f := range out {
		out[f] = x[f][i]
	}
	return out
}

// twin computes a score in float64, plainly.
func twin(p *Parameters, x ranker.Features) float64 {
	layer := func(rows [][]float32, bias []float32, in []float64) (out []float64) {
		for j, row := range rows {
			sum := float64(bias[j])
			for i, w := range row {
				sum += float64(w) * in[i]
			}
			out = append(out, max(sum, 0))
		}
		return out
	}
	var z []float64
	for f, v := range x {
		z = append(z, min(max(float64((v-p.Mean[f])*p.Scale[f]), -farthest), farthest))
	}
	score := p.Skip.ScoreOf(&x)
	for j, h := range layer(p.Second, p.SecondBias, layer(p.First, p.FirstBias, z)) {
		score += float64(p.Last[j]) * h
	}
	return score
}

func TestScoresAreThoseOfThePlainNetwork(t *testing.T) {
	for _, h := range [][2]int{{4, 4}, {16, 8}, {32, 16}, {64, 64}} {
		m := drawn(t, h[0], h[1])
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{0, 1, 63, 64, 65, 500} {
			x := columns(r, n)
			out := make([]float64, n)
			m.Score(x, out)
			for i := range out {
				if want := twin(m.Parameters(), row(x, i)); math.Abs(out[i]-want) > 1e-4*max(1, math.Abs(want)) {
					t.Fatalf("%v, candidate %d of %d: %v, want %v", h, i, n, out[i], want)
				}
			}
		}
	}
}

func TestScoresOfHugeFeaturesAreFinite(t *testing.T) {
	m := drawn(t, 64, 64)
	var x ranker.Columns
	for f := range x {
		x[f] = []float32{math.MaxFloat32, -math.MaxFloat32}
	}
	out := make([]float64, 2)
	if m.Score(&x, out); math.IsNaN(out[0]-out[0]) || math.IsNaN(out[1]-out[1]) {
		t.Errorf("scores %v", out)
	}
}

func TestContributionsAddUpToTheScore(t *testing.T) {
	m := drawn(t, 32, 16)
	r := rand.New(rand.NewPCG(5, 6))
	x := columns(r, 10_000)
	out := make([]float64, 10_000)
	m.Score(x, out)
	for i, score := range out {
		features := row(x, i)
		var parts ranker.Parts
		sum := m.Attribute(&features, &parts)
		for _, p := range parts {
			sum += p
		}
		if math.Abs(sum-score) > 1e-6*max(1, math.Abs(score)) {
			t.Fatalf("candidate %d: parts and rest add up to %v, the score is %v", i, sum, score)
		}
	}
}

// choices of people who want one of two features, but not both: no linear model says that.
func choices(n int, seed uint64) (samples []fit.Sample) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range n {
		s := fit.Sample{}
		best := math.Inf(-1)
		for k := range 20 {
			a, b := r.IntN(2), r.IntN(2)
			x := ranker.Features{ranker.CoVisited: float32(a), ranker.LastSimilarity: float32(b), ranker.Popularity: r.Float32()}
			s.Rows = append(s.Rows, x)
			if v := 4*float64(a^b) - math.Log(-math.Log(r.Float64())); v > best {
				best, s.Chosen = v, k
			}
		}
		samples = append(samples, s)
	}
	return samples
}

func TestWhatNoLinearModelSaysIsLearned(t *testing.T) {
	start, _, err := fit.Weights(t.Context(), choices(600, 1), ranker.DefaultWeights(), fit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, report, err := Train(t.Context(), choices(600, 1), start, Options{Members: 2, Epochs: 60, Rate: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	network, linear := loss(m, choices(300, 9)), loss(&start, choices(300, 9))
	if network > linear-0.4 {
		t.Errorf("loss %.3f, of the linear model %.3f; %+v", network, linear, report)
	}
}

// loss is the mean of -ln(probability of the chosen).
func loss(m ranker.Model, samples []fit.Sample) (mean float64) {
	for _, s := range samples {
		var x ranker.Columns
		for f := range x {
			for _, row := range s.Rows {
				x[f] = append(x[f], row[f])
			}
		}
		out := make([]float64, len(s.Rows))
		m.Score(&x, out)
		p := softmax(out)
		mean -= math.Log(p[s.Chosen]) / float64(len(samples))
	}
	return mean
}

// People who choose as the linear model says, but for chance: nothing is to be learned.
func TestWhereNothingIsToBeLearnedTheLinearModelStays(t *testing.T) {
	start := ranker.Weights{ranker.Popularity: 2}
	r := rand.New(rand.NewPCG(8, 8))
	var samples []fit.Sample
	for range 300 {
		s := fit.Sample{}
		best := math.Inf(-1)
		for k := range 20 {
			x := ranker.Features{ranker.Popularity: r.Float32(), ranker.Trend: r.Float32()}
			s.Rows = append(s.Rows, x)
			if v := start.ScoreOf(&x) - math.Log(-math.Log(r.Float64())); v > best {
				best, s.Chosen = v, k
			}
		}
		samples = append(samples, s)
	}
	m, report, err := Train(t.Context(), samples, start, Options{Epochs: 30})
	if err != nil {
		t.Fatal(err)
	}
	for _, about := range report.Members {
		if about.Loss > about.Linear {
			t.Errorf("a member is worse than the linear model on what it stopped by: %+v", about)
		}
	}
	if got, want := loss(m, samples), loss(&start, samples); math.Abs(got-want) > 0.05 {
		t.Errorf("loss %.3f, of the linear model %.3f: it should hardly have moved", got, want)
	}
}

func TestEqualSamplesAndSeedGiveEqualModels(t *testing.T) {
	train := func(seed uint64, workers int) string {
		m, _, err := Train(t.Context(), choices(60, 1), ranker.DefaultWeights(), Options{Epochs: 5, Seed: seed, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first, again, other := train(3, 1), train(3, 4), train(4, 1)
	if first != again || first == other {
		t.Error("a seed does not decide the model")
	}
}

func TestAModelComesBackFromItsFile(t *testing.T) {
	m := drawn(t, 16, 8)
	var b bytes.Buffer
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	x := columns(rand.New(rand.NewPCG(7, 7)), 100)
	got, want := make([]float64, 100), make([]float64, 100)
	again.Score(x, got)
	m.Score(x, want)
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("candidate %d: %v, was %v", i, got[i], want[i])
		}
	}
}

func TestMalformedFilesAreRefusedByName(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, drawn(t, 4, 4)); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	for what, c := range map[string]struct{ text, says string }{
		"nothing":   {"", "EOF"},
		"truncated": {whole[:len(whole)/2], "unexpected EOF"},
		"unknown":   {strings.Replace(whole, `"co_visited"`, `"charm"`, 1), `"charm"`},
		"twice":     {strings.Replace(whole, `"co_visited_before"`, `"co_visited"`, 1), "co_visited stands there twice"},
		"kind":      {strings.Replace(whole, `"model":"network"`, `"model":"forest"`, 1), `"forest"`},
		"shape":     {strings.Replace(whole, `"first":[`, `"first":[0,`, 1), "feature co_visited has 5 weights for 4 units"},
		"last":      {strings.Replace(whole, `"last":[`, `"last":[0,`, 1), "layer last has 5 weights"},
		"number":    {strings.Replace(whole, `"last":[`, `"last":[1e30,`, 1), "layer last"},
		"not a one": {strings.Replace(whole, `"last":[`, `"last":[NaN,`, 1), "invalid character"},
		"field":     {strings.Replace(whole, `"format"`, `"farmat"`, 1), "farmat"},
	} {
		if _, err := Read(strings.NewReader(c.text)); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want ErrModel with %q", what, err, c.says)
		}
	}
}

func TestParametersThatAreNotNumbersAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(*Parameters){
		"skip":   func(p *Parameters) { p.Skip[ranker.Trend] = math.NaN() },
		"mean":   func(p *Parameters) { p.Mean[0] = float32(math.Inf(1)) },
		"scale":  func(p *Parameters) { p.Scale[0] = -1 },
		"first":  func(p *Parameters) { p.First[1][1] = float32(math.NaN()) },
		"second": func(p *Parameters) { p.SecondBias[0] = float32(math.NaN()) },
		"rows":   func(p *Parameters) { p.Second = p.Second[:3] },
		"row":    func(p *Parameters) { p.Second[0] = p.Second[0][:3] },
	} {
		p := *drawn(t, 4, 4).Parameters()
		spoil(&p)
		if _, err := New(p); !errors.Is(err, ErrModel) {
			t.Errorf("%s: %v, want ErrModel", what, err)
		}
	}
}

func TestTrainRefusesWhatItCannotLearnFrom(t *testing.T) {
	some := choices(4, 1)
	bad := choices(4, 1)
	bad[2].Rows[3][ranker.Trend] = float32(math.NaN())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, c := range map[string]struct {
		ctx     context.Context
		samples []fit.Sample
		o       Options
		want    error
	}{
		"none":    {t.Context(), nil, Options{}, fit.ErrSamples},
		"one":     {t.Context(), some[:1], Options{}, fit.ErrSamples},
		"NaN":     {t.Context(), bad, Options{}, fit.ErrSamples},
		"widths":  {t.Context(), some, Options{First: 6}, ErrOptions},
		"members": {t.Context(), some, Options{Members: 8, First: 16}, ErrOptions},
		"rate":    {t.Context(), some, Options{Rate: math.NaN()}, ErrOptions},
		"ended":   {ended, some, Options{}, context.Canceled},
	} {
		if _, _, err := Train(c.ctx, c.samples, ranker.DefaultWeights(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

// One candidate has nothing to be told from: its probability is 1 whatever the network says.
func TestSamplesOfOneCandidateTeachNothing(t *testing.T) {
	samples := make([]fit.Sample, 10)
	for i := range samples {
		samples[i].Rows = []ranker.Features{{ranker.Popularity: float32(i)}}
	}
	m, _, err := Train(t.Context(), samples, ranker.DefaultWeights(), Options{Epochs: 3})
	if err != nil {
		t.Fatal(err)
	}
	x := ranker.Features{ranker.Popularity: 2}
	start := ranker.DefaultWeights()
	var parts ranker.Parts
	sum := m.Attribute(&x, &parts)
	for _, p := range parts {
		sum += p
	}
	if want := start.ScoreOf(&x); math.Abs(sum-want) > 1e-9 {
		t.Errorf("score %v, of the linear model %v", sum, want)
	}
}

// The slope that backward computes is that of the loss, by small differences.
func TestGradients(t *testing.T) {
	samples := choices(3, 5)
	for i := range samples {
		samples[i].Weight = float64(i + 1)
	}
	start := ranker.DefaultWeights()
	o, err := Options{Dropout: -1, First: 8, Second: 4, Members: 1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := pack(samples, &start, o)
	r := rand.New(rand.NewPCG(1, 1))
	tr := newTrainer(o, r)
	for i := range tr.layers.all {
		tr.layers.all[i] = float32(r.NormFloat64() / 2)
	}
	tr.pack()
	for i := range c.samples {
		tr.forward(&c.samples[i], true)
		tr.backward(&c.samples[i], c.samples[i].weight/6)
	}
	list, far := []int{0, 1, 2}, 0
	for i := range tr.layers.all {
		const h = 1e-3
		was := tr.layers.all[i]
		tr.layers.all[i] = was + h
		above := c.loss(tr, list)
		tr.layers.all[i] = was - h
		below := c.loss(tr, list)
		tr.layers.all[i] = was
		if slope := (above - below) / (2 * h); math.Abs(slope-float64(tr.slope.all[i])) > 2e-3+0.02*math.Abs(slope) {
			far++ // a unit that turns on or off within h has no one slope
		}
	}
	if far > len(tr.layers.all)/50 {
		t.Errorf("%d of %d slopes are not those of the loss", far, len(tr.layers.all))
	}
}

func TestScoringAllocatesNothing(t *testing.T) {
	m := drawn(t, 32, 16)
	x := columns(rand.New(rand.NewPCG(7, 7)), 500)
	out := make([]float64, 500)
	if n := testing.AllocsPerRun(100, func() { m.Score(x, out) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScore500(b *testing.B) {
	for name, h := range map[string][2]int{"32x16": {32, 16}, "64x32": {64, 32}} {
		b.Run(name, func(b *testing.B) {
			m := drawn(b, h[0], h[1])
			x := columns(rand.New(rand.NewPCG(7, 7)), 500)
			out := make([]float64, 500)
			b.ReportAllocs()
			for b.Loop() {
				m.Score(x, out)
			}
		})
	}
}

func BenchmarkAttribute(b *testing.B) {
	m := drawn(b, 32, 16)
	x := row(columns(rand.New(rand.NewPCG(7, 7)), 1), 0)
	var parts ranker.Parts
	for b.Loop() {
		m.Attribute(&x, &parts)
	}
}

func BenchmarkTrainEpoch(b *testing.B) {
	samples := choices(200, 1)
	for b.Loop() {
		if _, _, err := Train(b.Context(), samples, ranker.DefaultWeights(), Options{Members: 1, Epochs: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSamplesAndRowsAreBounded(t *testing.T) {
	samples := choices(50, 1)
	start := ranker.DefaultWeights()
	_, report, err := Train(t.Context(), samples, start, Options{Members: 1, Epochs: 1, Samples: 30, Rows: 5})
	if err != nil || report.Samples != 30 {
		t.Errorf("%d samples of at most 30, %v", report.Samples, err)
	}
	c := pack(samples, &start, Options{Samples: 30, Rows: 5, Seed: 1})
	for _, s := range c.samples {
		if len(s.skip) != 5 || len(s.blocks) != features*64 {
			t.Fatalf("%d rows of at most 5 in %d numbers", len(s.skip), len(s.blocks))
		}
	}
	// What was drawn stands for what was not: the loss is about that of all rows.
	all, drawn := 0.0, 0.0
	o := Options{Samples: 100, Rows: 20, Seed: 1, First: 4, Second: 4}
	tr := newTrainer(o, rand.New(rand.NewPCG(1, 1)))
	for _, list := range []struct {
		rows int
		sum  *float64
	}{{20, &all}, {8, &drawn}} {
		o.Rows = list.rows
		c := pack(samples, &start, o)
		*list.sum = c.loss(tr, rand.Perm(len(c.samples)))
	}
	if math.Abs(all-drawn) > 0.1 {
		t.Errorf("loss %.3f of all rows, %.3f of some", all, drawn)
	}
}

// Where an item stood is not known when serving: the hidden layers must not see it.
func TestHiddenLayersDoNotSeeTheSlot(t *testing.T) {
	samples := choices(40, 1)
	for i := range samples {
		for k := range samples[i].Rows {
			samples[i].Rows[k][ranker.Position] = -float32(math.Log(float64(k + 1)))
		}
	}
	start := ranker.DefaultWeights()
	start[ranker.Position] = 0.8
	m, _, err := Train(t.Context(), samples, start, Options{Epochs: 5, Rate: 0.02, Blind: []ranker.Feature{ranker.LastSimilarity}})
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Parameters(); p.Scale[ranker.LastSimilarity] != 0 || p.Scale[ranker.CoVisited] == 0 {
		t.Errorf("scales %v: only what it is blind for has none", p.Scale)
	}
	x := samples[0].Rows[3]
	shown := x
	x[ranker.Position] = 0
	score := func(x ranker.Features) float64 {
		var columns ranker.Columns
		for f := range columns {
			columns[f] = x[f : f+1]
		}
		var out [1]float64
		m.Score(&columns, out[:])
		return out[0]
	}
	if d := score(shown) - score(x); math.Abs(d-0.8*float64(shown[ranker.Position])) > 1e-9 {
		t.Errorf("the slot made a difference of %v, want %v", d, 0.8*shown[ranker.Position])
	}
}
