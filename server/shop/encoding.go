package shop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/server/record"
)

// slowEncoding gives a catalog the vectors of a slow encoder. What has to be done stands in
// the backlog; what was done is kept by the log, by text, so that no text is encoded
// twice: not after a restart, and not for a second item.
type slowEncoding struct {
	config  EncodingConfig
	backlog *backlog
	encoder embed.Encoder
	model   record.ModelHash
	dim     int
	ended   chan struct{}

	batch atomic.Int64 // texts of a call now: halved by failures, doubled by successes

	encoded, reused atomic.Int64 // texts
	rate            rate
	trouble         trouble

	mu       sync.Mutex
	jitter   *rand.Rand
	unfit    map[record.TextHash]struct{} // texts that the encoder refused
	sweeping map[record.TextHash]struct{} // texts asked for since a sweep began; nil: none is under way
}

const (
	// maxRoundBytes bounds the texts in memory.
	maxRoundBytes = 8 << 20
	// maxUnfit bounds the texts that are known to be refused. One that is forgotten is
	// refused again.
	maxUnfit = 1 << 14
	// putAtOnce is how many vectors go to the index under the applier's lock.
	putAtOnce = 16
)

func newEncoding(c Config) *slowEncoding {
	info := c.Encoder.Info()
	e := &slowEncoding{
		config: c.Encoding, backlog: newBacklog(c.MaxItems), encoder: c.Encoder,
		model: record.HashModel(info.Model, info.Dim), dim: info.Dim, ended: make(chan struct{}),
		jitter: rand.New(rand.NewPCG(c.Encoding.Seed, 1)), unfit: map[record.TextHash]struct{}{},
	}
	e.batch.Store(int64(c.Encoding.Batch))
	return e
}

// awaited is a text without a vector, and the items that have it.
type awaited struct {
	hash  record.TextHash
	text  string
	items []uint32
}

// encodeBacklog works the backlog off until the shop ends.
func (s *Shop) encodeBacklog() {
	e, ctx := s.encoding, s.life
	defer close(e.ended)
	for failures := 0; e.backlog.awaitSome(ctx); {
		before := e.encoded.Load() + e.reused.Load()
		err := s.encodeRound(ctx)
		s.notice()
		if err == nil {
			failures = 0
			s.worksAgain()
			continue
		}
		if e.encoded.Load()+e.reused.Load() > before {
			failures = 0 // some of it works
		}
		failures++
		s.rest(ctx, failures, err)
	}
}

// encodeRound takes some items and gives them vectors: kept ones, or new ones. On an
// error the items that got none wait again.
func (s *Shop) encodeRound(ctx context.Context) error {
	e := s.encoding
	batch := int(e.batch.Load())
	texts, err := s.textsOf(e.backlog.take(batch * e.config.Lanes))
	if err != nil {
		return err
	}
	if texts, err = s.useKept(texts); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(e.config.Lanes)
	for chunk := range slices.Chunk(texts, batch) {
		group.Go(func() error { return s.encodeChunk(ctx, chunk) })
	}
	return group.Wait()
}

// textsOf reads the distinct texts of items that were taken. The catalog may be ahead of
// the applier: what it says of a newer row comes a moment early, and is not used if it
// changes again.
func (s *Shop) textsOf(numbers []uint32) ([]awaited, error) {
	b := s.encoding.backlog
	var texts []awaited
	at := make(map[record.TextHash]int, len(numbers))
	size := 0
	for i, number := range numbers {
		if size > maxRoundBytes {
			b.giveBack(numbers[i:])
			break
		}
		it, err := s.log.ItemByNumber(number)
		if errors.Is(err, record.ErrNotFound) || err == nil && len(it.Vector) == s.encoding.dim {
			b.finish(number) // the applier does, or did, what there is to do
			continue
		}
		if err != nil {
			b.giveBack(numbers)
			return nil, fmt.Errorf("reading item number %d: %w", number, err)
		}
		text := itemText(&it)
		hash := record.HashText(text)
		if text == "" {
			s.give(awaited{items: []uint32{number}}, nil)
			continue
		}
		if j, ok := at[hash]; ok {
			texts[j].items = append(texts[j].items, number)
			continue
		}
		at[hash] = len(texts)
		texts = append(texts, awaited{hash, text, []uint32{number}})
		size += len(text)
	}
	return texts, nil
}

// useKept gives items the vectors that are kept, and returns the texts that have none
// and may get one.
func (s *Shop) useKept(texts []awaited) ([]awaited, error) {
	e := s.encoding
	hashes := make([]record.TextHash, len(texts))
	for i := range texts {
		hashes[i] = texts[i].hash
	}
	kept := make([][]float32, len(texts))
	if err := s.keptVectors(hashes, func(i int, v []float32) { kept[i] = v }); err != nil {
		for i := range texts {
			e.backlog.giveBack(texts[i].items)
		}
		return nil, fmt.Errorf("reading kept vectors: %w", err)
	}
	left := texts[:0]
	for i, t := range texts {
		switch {
		case kept[i] != nil:
			s.give(t, kept[i])
			e.reused.Add(1)
		case e.isUnfit(t.hash):
			e.refuse(t)
		default:
			left = append(left, t)
		}
	}
	return left, nil
}

// keptVectors reads the vectors that are kept of texts. A sweep leaves alone what was
// asked for since it began.
func (s *Shop) keptVectors(texts []record.TextHash, fn func(i int, v []float32)) error {
	e := s.encoding
	e.mu.Lock()
	for _, t := range texts {
		if e.sweeping != nil {
			e.sweeping[t] = struct{}{}
		}
	}
	e.mu.Unlock()
	return s.log.ReadVectors(e.model, e.dim, texts, fn)
}

// encodeChunk has texts encoded in one call, keeps their vectors and gives them to the
// items. A call that is refused is cut in halves until the text is found that it is
// refused for.
func (s *Shop) encodeChunk(ctx context.Context, texts []awaited) error {
	e := s.encoding
	words := make([]string, len(texts))
	for i := range texts {
		words[i] = texts[i].text
	}
	rows := make([]float32, len(texts)*e.dim)
	err := e.encoder.Encode(ctx, words, rows)
	if err == nil {
		e.batch.Store(min(2*e.batch.Load(), int64(e.config.Batch)))
		return s.keepVectors(ctx, texts, rows)
	}
	if errors.Is(err, embed.ErrRefused) {
		if len(texts) == 1 {
			s.config.Log.Warn("the encoder refuses an item's text; it has no vector until the text changes", "tenant", s.tenant,
				"item", s.ItemID(texts[0].items[0]), "items", len(texts[0].items), "error", err)
			e.setUnfit(texts[0].hash)
			e.refuse(texts[0])
			return nil
		}
		half := len(texts) / 2
		return errors.Join(s.encodeChunk(ctx, texts[:half]), s.encodeChunk(ctx, texts[half:]))
	}
	for i := range texts {
		e.backlog.giveBack(texts[i].items)
	}
	if !errors.Is(err, embed.ErrUnavailable) && !errors.Is(err, embed.ErrOverloaded) && ctx.Err() == nil {
		// It may be for one of the texts: smaller calls let the others pass it by.
		e.batch.Store(max(1, min(int64(len(texts)), e.batch.Load())/2))
	}
	return fmt.Errorf("encoding %d texts: %w", len(texts), err)
}

// keepVectors writes vectors to the log and gives them to the items. While the log takes
// none they are held, so that what was dear to make is not made again.
func (s *Shop) keepVectors(ctx context.Context, texts []awaited, rows []float32) error {
	e := s.encoding
	hashes := make([]record.TextHash, len(texts))
	for i := range texts {
		hashes[i] = texts[i].hash
	}
	for failures := 1; ; failures++ {
		err := s.log.PutVectors(e.model, hashes, rows)
		if err == nil {
			break
		}
		err = fmt.Errorf("keeping %d vectors: %w", len(texts), err)
		if ctx.Err() != nil || errors.Is(err, record.ErrClosed) {
			for i := range texts {
				e.backlog.giveBack(texts[i].items)
			}
			return err
		}
		s.rest(ctx, failures, err)
	}
	e.encoded.Add(int64(len(texts)))
	e.rate.add(time.Now(), len(texts))
	for i, t := range texts {
		v := rows[i*e.dim : (i+1)*e.dim]
		if isZero(v) {
			v = nil
		}
		// A copy, so that one vector that stays does not keep its whole batch.
		s.give(t, slices.Clone(v))
	}
	return nil
}

// give gives items the vector of their text, nil for none, in every generation of the
// slow encoder. Items that changed or went since they were taken are passed over.
func (s *Shop) give(t awaited, v []float32) {
	for part := range slices.Chunk(t.items, putAtOnce) {
		s.applying.Lock()
		for _, number := range part {
			if !s.encoding.backlog.finish(number) || s.table.Row(number) == nil {
				continue
			}
			for _, g := range s.serving() {
				if !g.slow {
					continue
				}
				if err := g.put(number, v); err != nil {
					s.config.Log.Error("vector not indexed; other sources still find the item", "number", number, "error", err)
				}
			}
			s.touch(number)
		}
		s.applying.Unlock()
	}
}

func (e *slowEncoding) refuse(t awaited) {
	for _, number := range t.items {
		e.backlog.refuse(number)
	}
}

func (e *slowEncoding) isUnfit(t record.TextHash) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.unfit[t]
	return ok
}

func (e *slowEncoding) setUnfit(t record.TextHash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.unfit) >= maxUnfit {
		clear(e.unfit)
	}
	e.unfit[t] = struct{}{}
}

// retryRefused tries again what the encoder has refused: it may be another one now.
func (e *slowEncoding) retryRefused() {
	e.mu.Lock()
	clear(e.unfit)
	e.mu.Unlock()
	e.backlog.retryRefused()
}

// pause is the time before the next try after so many failures in a row.
func (e *slowEncoding) pause(failures int) time.Duration {
	pause := e.config.MaxPause
	if shift := failures - 1; shift < 32 {
		pause = min(pause, e.config.Pause<<shift)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return pause/2 + time.Duration(e.jitter.Int64N(int64(pause/2)+1))
}
