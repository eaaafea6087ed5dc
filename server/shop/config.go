package shop

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/ranker/filter"
)

// Config is what a tenant runs with. Fields without a default are required.
type Config struct {
	// Encoder turns item text and searches into vectors.
	Encoder embed.Encoder
	// Encoding says how a catalog gets its vectors where Encoder is slow.
	Encoding EncodingConfig
	// Index says what finds the nearest vectors.
	Index IndexConfig
	// Models says where trained models are kept and how they are read.
	Models ModelsConfig
	// Filters bounds the filters of requests, surfaces and policies. Its own defaults hold.
	Filters filter.Limits
	// MaxItems bounds item numbers. Default 1,048,576.
	MaxItems uint32
	// HistoryEvents is how many of a user's latest events count. 16 to 4,096,
	// default 256.
	HistoryEvents int
	// ProfileBytes bounds the memory of cached profiles. Default 256 MiB.
	ProfileBytes int64
	// TextBytes bounds the memory of the index of words, which takes about 500 bytes an
	// item. Default 1 GiB.
	TextBytes int64
	// SearchEncodeTimeout bounds the encoding of a search text; past it a search goes by
	// words alone. Default 50 ms.
	SearchEncodeTimeout time.Duration
	// Permits is how many requests are ranked at once; those beyond it are answered
	// from the popular tier. Default 64 for each of GOMAXPROCS.
	Permits int
	// TargetLatency has Permits adapt: they fall, to a sixteenth at least, while more than a
	// tenth of the requests take longer, and rise again. 0: there are always as many.
	TargetLatency time.Duration
	// Bound is how many requests are under way at once before they are refused.
	// Default 16 times Permits.
	Bound int
	// DecisionQueue is how many decisions may wait for the log. Default 16,384.
	DecisionQueue int
	// RankingAge is how long a ranking serves the same person and request, while no
	// event of theirs arrives. Default 5 s; negative: each request is ranked.
	RankingAge time.Duration
	// Outcomes is told of lists that are served and of what comes of them. Nil: nobody is.
	Outcomes Outcomes
	// CheckpointEvery is the number of log entries after which the counters are
	// saved, so that a restart reads only what came later. Default 50,000.
	CheckpointEvery uint64
	// Now is the machine's clock. Default time.Now.
	Now func() time.Time
	// Log takes what an operator should read. Default: nothing is said.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	orElse(&c.MaxItems, 1<<20)
	orElse(&c.HistoryEvents, 256)
	orElse(&c.ProfileBytes, 256<<20)
	orElse(&c.TextBytes, 1<<30)
	orElse(&c.SearchEncodeTimeout, 50*time.Millisecond)
	orElse(&c.Permits, 64*runtime.GOMAXPROCS(0))
	orElse(&c.Bound, 16*c.Permits)
	orElse(&c.DecisionQueue, 1<<14)
	orElse(&c.RankingAge, 5*time.Second)
	orElse(&c.CheckpointEvery, 50_000)
	c.Index, c.Encoding = c.Index.withDefaults(), c.Encoding.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate reports the first setting that cannot work.
func (c Config) validate() error {
	switch {
	case c.Encoder == nil:
		return fmt.Errorf("shop.Config.Encoder is nil: give an encoder, such as static.Default()")
	case c.HistoryEvents < 16 || c.HistoryEvents > 4096:
		return fmt.Errorf("shop.Config.HistoryEvents is %d: give 16 to 4,096", c.HistoryEvents)
	case c.ProfileBytes < 1<<20:
		return fmt.Errorf("shop.Config.ProfileBytes is %d: give at least 1 MiB", c.ProfileBytes)
	case c.SearchEncodeTimeout < 0:
		return fmt.Errorf("shop.Config.SearchEncodeTimeout is %v: give more than 0", c.SearchEncodeTimeout)
	case c.Permits < 1 || c.Bound < c.Permits:
		return fmt.Errorf("shop.Config.Permits is %d and Bound %d: give Permits of at least 1 and Bound of at least Permits", c.Permits, c.Bound)
	case c.TargetLatency < 0:
		return fmt.Errorf("shop.Config.TargetLatency is %s: give more than 0, or 0 for a fixed number of permits", c.TargetLatency)
	case c.RankingAge > maxRankingAge:
		return fmt.Errorf("shop.Config.RankingAge is %s: give at most a minute, or less than 0 to rank each request", c.RankingAge)
	case c.DecisionQueue < 1:
		return fmt.Errorf("shop.Config.DecisionQueue is %d: give at least 1", c.DecisionQueue)
	}
	return errors.Join(c.Index.validate(), c.Encoding.validate())
}

// maxRankingAge bounds Config.RankingAge: what is older than that no page may show.
const maxRankingAge = time.Minute
