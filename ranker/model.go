package ranker

// Columns are the features of all candidates of a request: Columns[f][i] is feature f
// of candidate i. All have one length.
type Columns [FeatureCount][]float32

// Parts are what each feature contributed to one score, by [Feature].
type Parts [FeatureCount]float64

// A Model turns features into scores. [Weights] is the default one; a trained network or
// trees are others. Its methods are pure, deterministic, safe for concurrent use, and
// allocate nothing in steady state.
type Model interface {
	// Name of the kind of model, such as "linear".
	Name() string
	// Score writes the score of each candidate; len(out) is the length of every column.
	// Larger is better. A score is finite where the features are.
	Score(x *Columns, out []float64)
	// Attribute writes what each feature contributed to the score of one candidate, and
	// returns what no feature did: both add up to the score, to 1e-6 of the larger of 1
	// and the score.
	Attribute(x *Features, parts *Parts) (rest float64)
}

// Calibrated is a [Model] whose scores can be told as probabilities. Found by assertion: not
// every model has enough impressions behind it.
type Calibrated interface {
	Model
	// Probability of a click on an item of this score, were it shown first: in [0, 1], never
	// falling as the score rises. It allocates nothing.
	Probability(score float64) float64
}

// Name is "linear".
func (w *Weights) Name() string { return "linear" }

// Score writes the weighted sums, taken in the order of the features.
func (w *Weights) Score(x *Columns, out []float64) {
	clear(out)
	for f, weight := range w {
		if weight == 0 {
			continue
		}
		for i, value := range x[f][:len(out)] {
			out[i] += weight * float64(value)
		}
	}
}

// Attribute writes weight times feature; nothing is left over.
func (w *Weights) Attribute(x *Features, parts *Parts) (rest float64) {
	for f := range w {
		parts[f] = w[f] * float64(x[f])
	}
	return 0
}

// ScoreOf is the score of one row, as [Weights.Score] has it.
func (w *Weights) ScoreOf(x *Features) float64 {
	sum := 0.0
	for f := range w {
		sum += w[f] * float64(x[f])
	}
	return sum
}
