package simulate

import "time"

// maxDims bounds Config.Dims.
const maxDims = 64

// World is the truth about a shop. It does not change once made and may be read by many goroutines. Its size does not depend
// on how many items and users there are: those are computed when asked for.
type World struct {
	Config
	topicSums []float64 // rising sums of how common topics are
	activity  float64   // mean visits a day of the most active user
	// Latent vectors, [dims] float32 of unit length each, by topic, by topic and word, by style, by topic and brand.
	topicVectors, wordVectors, styleVectors, brandVectors [][]float32
}

// NewWorld makes the world of a configuration, or says with an ErrOptions what is wrong with it.
func NewWorld(c Config) (*World, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	w := &World{Config: c, activity: activity(c)}
	w.topicVectors = directions(c, forTopics, len(topics))
	w.wordVectors = directions(c, forWords, len(topics)*wordsPerTopic)
	w.styleVectors = directions(c, forStyles, len(styles))
	w.brandVectors = directions(c, forBrands, len(topics)*brandsPerTopic)
	sum := 0.0
	for rank := range topics {
		sum += 1 / (4 + float64(rank))
		w.topicSums = append(w.topicSums, sum)
	}
	return w, nil
}

func directions(c Config, p purpose, n int) [][]float32 {
	all := make([][]float32, n)
	for i := range all {
		all[i] = make([]float32, c.Dims)
		d := keyed(c.Seed, p, uint64(i), 1<<40)
		d.direction(all[i], 1)
	}
	return all
}

func (w *World) dayStart(day int) time.Time { return w.Start.AddDate(0, 0, day) }
