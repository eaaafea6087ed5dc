package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/selection"
)

// ErrOptions: an option is out of its range.
var ErrOptions = errors.New("evaluate: bad option")

// Stage is what is measured.
type Stage string

const (
	// Full is the serving pipeline without exploration; the default.
	Full Stage = "full"
	// Retrieval is the inner product of behaviour and item vectors alone.
	Retrieval Stage = "retrieval"
)

// Part is which questions are asked.
type Part string

const (
	// Test is what figures are quoted for; the default.
	Test Part = "test"
	// Valid is for tuning.
	Valid Part = "valid"
)

// Behaviour is what makes a user's vector.
type Behaviour string

const (
	// Learned is trained on the train part; the default.
	Learned Behaviour = "learned"
	// Mean is the weighted mean of the items' text vectors, of which nothing is learned.
	Mean Behaviour = "mean"
)

// Protocols, as they stand in [Result.Protocol].
const (
	Published      = "published rows, repeats allowed"
	LeaveOneOut    = "leave one out, seen hidden"
	GlobalTime     = "global time split, seen hidden"
	RollingWindows = "rolling windows, seen hidden"
)

// Options say what to evaluate. The zero value of all but Format and Dir is the
// setting that figures are quoted for.
type Options struct {
	// Format and Dir name the data.
	Format dataset.Format
	Dir    string
	Stage  Stage
	Split  Part
	// Protocol is how the log is cut. Default Auto. Cut and Windows, 1 to
	// dataset.MaxWindows and 5 by default, are of ByTime and Rolling.
	Protocol Protocol
	Cut      dataset.TimeCut
	Windows  int
	// Compare are contenders that are asked the same questions: see [ParseContender]. At
	// most MaxContenders, for stage Full.
	Compare []Contender
	// Resamples of users that intervals are made of. Default metrics.Resamples.
	Resamples int
	// Behaviour is what makes users' vectors. Default Learned.
	Behaviour Behaviour
	// Train is how a learned one is trained; its seed is Seed. nil: the defaults.
	Train *train.Options
	// Epoch, if not nil, is told of each epoch, of at most so many.
	Epoch func(e sequence.Epoch, most int)
	// Seed of what is drawn: the cold items, and training. 0 means 1.
	Seed uint64
	// Cold is the share of items to remove from training, 0 to below 1.
	Cold float64
	// Encoder of item texts. nil: the embedded one.
	Encoder embed.Encoder
	// Backend is what computes it, for the result. Default go.
	Backend string
	// Weights of the pipeline. nil: the defaults.
	Weights *ranker.Weights
	// Fit fits the weights on the validation part before the test is taken. Counts stay
	// those of the train part. Where the validation part is what is asked, each half of
	// its users is asked with weights fitted on the other half.
	Fit bool
	// Ranker is what kind of model is fitted. Default selection.Linear.
	Ranker selection.Kind
	// Diversity and NewItems ask all questions again, with each of these weights of variety
	// and shares of slots kept for new items, into Result.Variety. For stage Full.
	Diversity, NewItems []float64
	// Settings of the pipeline, such as how many candidates each source proposes.
	Settings ranker.Settings
	// Workers that ask questions side by side. 0: one for each processor. The
	// figures do not depend on it.
	Workers int
	// Reader is passed on to the readers of the format.
	Reader dataset.Options
}

func (o Options) withDefaults() (Options, error) {
	if o.Stage == "" {
		o.Stage = Full
	}
	if o.Behaviour == "" {
		o.Behaviour = Learned
	}
	if o.Split == "" {
		o.Split = Test
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Protocol == "" {
		o.Protocol = Auto
	}
	if o.Windows != 0 && o.Protocol != Rolling {
		return o, fmt.Errorf("%w: %d windows are of protocol %q; this is %q", ErrOptions, o.Windows, Rolling, o.Protocol)
	}
	if o.Windows == 0 {
		o.Windows = 5
	}
	if o.Resamples == 0 {
		o.Resamples = metrics.Resamples
	}
	if _, err := selection.ParseKind(string(o.Ranker)); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	switch {
	case o.Stage != Full && o.Stage != Retrieval:
		return o, fmt.Errorf("%w: stage %q; it must be %q or %q", ErrOptions, o.Stage, Full, Retrieval)
	case o.Behaviour != Learned && o.Behaviour != Mean:
		return o, fmt.Errorf("%w: behaviour %q; it must be %q or %q", ErrOptions, o.Behaviour, Learned, Mean)
	case o.Split != Test && o.Split != Valid:
		return o, fmt.Errorf("%w: split %q; it must be %q or %q", ErrOptions, o.Split, Test, Valid)
	case o.Ranker != "" && o.Ranker != selection.Linear && !o.Fit:
		return o, fmt.Errorf("%w: ranker %q is learned: weights must be fitted", ErrOptions, o.Ranker)
	case (len(o.Diversity) > 0 || len(o.NewItems) > 0) && o.Stage != Full:
		return o, fmt.Errorf("%w: variety is measured for stage %q only", ErrOptions, Full)
	case o.Fit && o.Stage != Full:
		return o, fmt.Errorf("%w: weights are fitted for stage %q only", ErrOptions, Full)
	case o.Protocol != Auto && wording[o.Protocol] == "":
		return o, fmt.Errorf("%w: protocol %q; it must be %q, %q, %q, %q or %q", ErrOptions, o.Protocol, Auto, Given, LastItem, ByTime, Rolling)
	case o.Protocol != ByTime && o.Protocol != Rolling && o.Cut != dataset.TimeCut{}:
		return o, fmt.Errorf("%w: shares and questions a user are of protocols %q and %q; this is %q", ErrOptions, ByTime, Rolling, o.Protocol)
	case o.Protocol == Rolling && len(o.Diversity)+len(o.NewItems) > 0:
		return o, fmt.Errorf("%w: variety is measured in one part of the log; use protocol %q instead of %q", ErrOptions, ByTime, Rolling)
	case len(o.Compare) > 0 && o.Stage != Full:
		return o, fmt.Errorf("%w: contenders are compared for stage %q only", ErrOptions, Full)
	case twice(o.Compare) != "":
		return o, fmt.Errorf("%w: two contenders have the name %q", ErrOptions, twice(o.Compare))
	case len(o.Compare) > MaxContenders:
		return o, fmt.Errorf("%w: %d contenders; at most %d at once", ErrOptions, len(o.Compare), MaxContenders)
	case o.Resamples < 100 || o.Resamples > metrics.MaxResamples:
		return o, fmt.Errorf("%w: %d resamples; it must lie in [100, %d]", ErrOptions, o.Resamples, metrics.MaxResamples)
	case !(o.Cold >= 0 && o.Cold < 1):
		return o, fmt.Errorf("%w: cold is %v; it must be at least 0 and below 1", ErrOptions, o.Cold)
	case o.Workers < 0 || o.Workers > 1024:
		return o, fmt.Errorf("%w: %d workers; it must lie in [0, 1024]", ErrOptions, o.Workers)
	}
	return o, nil
}

// Figures are means over questions; see the package comment.
type Figures struct {
	HR5    float64 `json:"hr_at_5"`
	HR10   float64 `json:"hr_at_10"`
	NDCG10 float64 `json:"ndcg_at_10"`
	MRR    float64 `json:"mrr"`
	// Cases is how many questions there were.
	Cases int `json:"cases"`
}

// Result is what Run found.
type Result struct {
	Figures
	Coverage float64 `json:"coverage"`
	Seconds  float64 `json:"seconds"`
	// MicrosPerCase is the mean time of an answer on one worker.
	MicrosPerCase float64        `json:"us_per_case"`
	Format        dataset.Format `json:"format"`
	Protocol      string         `json:"protocol"`
	Stage         Stage          `json:"stage"`
	Split         Part           `json:"split"`
	Seed          uint64         `json:"seed"`
	Items         int            `json:"items"`
	Encoder       string         `json:"encoder"`
	Backend       string         `json:"backend"` // what encoded: go
	// Behaviour made the users' vectors; Trained says how, if it was trained.
	Behaviour Behaviour `json:"behaviour"`
	Trained   *Trained  `json:"trained,omitempty"`
	// Weights of the pipeline: "default", "given", "fitted on validation", or absent
	// where it was not asked.
	Weights string `json:"weights,omitempty"`
	// Fitted are the weights, in the order of the features, if they were.
	Fitted ranker.Weights `json:"-"`
	// Ranker is the kind of model that was fitted, and Trial how the network compared with
	// weights on questions held back from both, of the same part. Where validation is asked
	// they are those of the second half.
	Ranker selection.Kind   `json:"ranker,omitempty"`
	Trial  *selection.Trial `json:"trial,omitempty"`
	// Intervals of the figures, by resampling users.
	Intervals *Intervals `json:"intervals,omitempty"`
	// Beyond is what the lists look like; with rolling windows a mean by questions.
	Beyond *Beyond `json:"beyond,omitempty"`
	// Windows are the parts that were asked, where the log was cut by time.
	Windows []Window `json:"windows,omitempty"`
	// Compared are the contenders, in the order of Options.Compare.
	Compared []Compared `json:"compared,omitempty"`
	// Variety is what lists look like under each setting of Options.Diversity and NewItems.
	Variety []Variety `json:"-"`
	// ColdFraction of the items was unknown to training; Cold and Warm are the
	// figures of the questions for those and for the other items. Absent without.
	ColdFraction float64  `json:"cold_fraction,omitempty"`
	Cold         *Figures `json:"cold,omitempty"`
	Warm         *Figures `json:"warm,omitempty"`
}

// Trained is what became of training.
type Trained struct {
	Epoch        int     `json:"epoch"`         // whose weights were best on the validation part
	EpochSeconds float64 `json:"epoch_seconds"` // mean, without validation
	Counts       float32 `json:"counts"`        // weight of the factored counts beside the transformer
	Seconds      float64 `json:"seconds"`       // of all training
}

// WriteJSON writes the result as one line.
func (r Result) WriteJSON(w io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
