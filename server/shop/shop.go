package shop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/index/lexical"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/exposure"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/ranker/popularity"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/record"
)

// Shop is one tenant at run time.
type Shop struct {
	tenant       string
	tenantNumber uint32
	config       Config
	log          Log
	persist      func(context.Context, record.Tenant) error
	secret       [32]byte
	dim          int

	view     atomic.Pointer[tenantView]
	amending sync.Mutex // serializes changes of the settings

	table   *catalog.Table
	filters *filter.Cache
	// conditions compiles those of policies, which are kept with them.
	conditions *filter.Compiler
	exposures  *exposure.Counter // of the day
	started    time.Time         // from when on exposures are counted as they come
	recounted  bool              // those of the day before started are in; under amending
	arrivals   *popularity.Arrivals
	texts      *lexical.Index
	profiles   *profiles
	numbers    *numbers
	clock      logClock
	strength   strength

	gen         atomic.Pointer[generation]
	next        atomic.Pointer[generation] // being made; nil: none
	filling     atomic.Pointer[generation] // a slow encoder's, vectors alone, while the bridge serves; nil: none
	generations atomic.Int64
	spaces      atomic.Int64
	models      *models    // nil: none are kept
	refreshing  sync.Mutex // held while a generation is made
	replacing   replacing  // held while the catalog is replaced

	life     context.Context // of what runs in the background; Close ends it
	end      context.CancelFunc
	upkept   chan struct{} // closed when the upkeep has ended
	outgrown chan struct{} // wakes the upkeep: another engine should serve
	tasted   chan struct{} // closed when no more users' vectors are made in the background

	encoding *slowEncoding // nil: the encoder is immediate
	replaced chan struct{} // wakes the sweep: other models' vectors are needed no more
	swept    chan struct{} // closed when the sweep has ended

	building    atomic.Pointer[progress] // of an index; nil: none is being built
	graphFailed atomic.Int64             // items when a graph last found too little; 0: never
	checks      atomic.Uint64            // self-checks made

	// What the snapshot holds: snapshotAt changes of the space numbered snapshotOf.
	// The upkeep's, and Close's after it.
	snapshotOf   int64
	snapshotAt   uint64
	snapshotTime atomic.Int64 // when it was written, unix nanoseconds; 0: there is none

	// applying guards what the applier writes, for the few moments when vectors go to a
	// new generation. Readers never take it.
	applying   sync.Mutex
	touched    touchedSet
	counters   counters
	trail      []covisit.Step
	countersAt uint64 // the checkpoint held the counters up to here
	itemsAt    uint64 // the scan at the start held the items up to here
	saving     saving
	recountIn  int // rows to change before labels are counted again
	applied    *appliedMark
	stop       func()

	calls     pool[call]
	permits   *limit.Limiter
	underWay  atomic.Int64
	bulkTurn  chan struct{} // held by the bulk call that runs
	bulkCalls atomic.Int64  // running or waiting
	decisions *decisionLog
	tiers     tierCounts
	reused    atomic.Int64 // replies from a ranking that was kept
	rankAge   atomic.Int64 // how long one is, a time.Duration; Config.RankingAge until SetRankingAge
	events    atomic.Int64 // applied; saved with the counters
	kept      atomic.Pointer[[]KeptStatus]
}

// newestItems bounds the list of new items.
const newestItems = 512

// Open brings a tenant to serving state: its catalog is read and encoded, its index
// is loaded or built, its counters are loaded, and the log is read from there. It returns when all that was
// on disk at the call is applied. persist writes changed settings.
func Open(ctx context.Context, config Config, tenant record.Tenant, log Log, secret [32]byte, persist func(context.Context, record.Tenant) error) (*Shop, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Shop{
		tenant: tenant.Name, tenantNumber: tenant.Number, config: config, log: log, persist: persist, secret: secret,
		dim: config.Encoder.Info().Dim, applied: newAppliedMark(),
		permits: limit.New(limit.Config{Most: config.Permits, Target: config.TargetLatency}), bulkTurn: make(chan struct{}, 1),
		upkept: make(chan struct{}), outgrown: make(chan struct{}, 1), tasted: make(chan struct{}),
		replaced: make(chan struct{}, 1), swept: make(chan struct{}),
	}
	s.rankAge.Store(int64(config.RankingAge))
	if !embed.IsImmediate(config.Encoder) {
		s.encoding = newEncoding(config)
	}
	// What runs in the background outlives the call, but not Close.
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.profiles, s.numbers = newProfiles(config.ProfileBytes, s.dim), newNumbers(int(config.ProfileBytes/bytesPerNumber))
	parts := newStages()
	if err := s.prepare(tenant); err != nil {
		s.end()
		return nil, fmt.Errorf("tenant %q: %w", tenant.Name, err)
	}
	parts.done("counters")
	if err := s.catchUp(ctx, parts); err != nil {
		s.end()
		return nil, fmt.Errorf("tenant %q: %w", tenant.Name, err)
	}
	if err := s.finishReplacement(ctx); err != nil {
		s.end()
		s.stop()
		return nil, fmt.Errorf("tenant %q: %w", tenant.Name, err)
	}
	s.decisions = startDecisionLog(log, config)
	go s.upkeep(s.upkept)
	go s.sweepVectors(s.swept)
	go s.keepTastes(s.tasted)
	if s.encoding != nil {
		go s.encodeBacklog()
	}
	config.Log.Info("tenant serves", append([]any{"tenant", tenant.Name, "items", s.table.Count()}, parts.words...)...)
	return s, nil
}

// prepare makes the empty parts.
func (s *Shop) prepare(tenant record.Tenant) error {
	var err error
	if s.table, err = catalog.New(catalog.Limits{MaxItems: s.config.MaxItems}); err != nil {
		return err
	}
	if err := declare(s.table, tenant.Attributes); err != nil {
		return err
	}
	if s.filters, err = filter.NewCache(s.table, s.config.Filters); err != nil {
		return err
	}
	if s.conditions, err = filter.NewCompiler(s.table, s.config.Filters); err != nil {
		return err
	}
	if s.exposures, err = exposure.New(int(s.config.MaxItems)); err != nil {
		return err
	}
	s.started = s.config.Now()
	s.view.Store(s.viewOf(tenant))
	if err := s.countToday(&tenant, s.settings().policies); err != nil {
		return err
	}
	if s.arrivals, err = popularity.NewArrivals(newestItems); err != nil {
		return err
	}
	if s.texts, err = lexical.New(lexical.Config{MaxItems: int(s.config.MaxItems), MaxBytes: s.config.TextBytes}); err != nil {
		return err
	}
	if err := s.restoreCounters(); err != nil {
		return err
	}
	if err := s.prepareModels(); err != nil {
		return err
	}
	g, err := s.newGeneration(s.config.Encoder, false, nil)
	s.gen.Store(g)
	return err
}

// catchUp reads the catalog, then the log from the counters on.
func (s *Shop) catchUp(ctx context.Context, parts *stages) error {
	head := s.log.Head().Seq
	if err := s.readItems(ctx, parts); err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	s.gen.Load().pipeline.Recount()
	s.itemsAt = head
	s.saving.at.Store(s.countersAt)
	parts.words = append(parts.words, "log_entries", head-min(head, s.countersAt))
	s.applied.advance(s.countersAt)
	stop, err := s.log.Follow(s.countersAt, s.apply)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	s.stop = func() { stop(); s.saving.ended.Wait() }
	for begin := time.Now(); ; {
		if s.applied.wait(ctx, head, time.Second) >= head {
			parts.done("log")
			return nil
		}
		if ctx.Err() != nil {
			s.stop()
			return ctx.Err()
		}
		now, _ := s.applied.load()
		s.config.Log.Info("reading the log", "at", now, "of", head, "seconds", int(time.Since(begin).Seconds()))
	}
}

// readItems puts the stored catalog into the table, gives it vectors, and opens the
// index.
func (s *Shop) readItems(ctx context.Context, parts *stages) error {
	g := s.gen.Load()
	row := func(it numbered) error {
		if err := s.table.Put(it.number, tableItem(it.item)); err != nil {
			return fmt.Errorf("item %q: %w", it.item.ID, err)
		}
		s.firstSeen(it.number, it.item, it.item.Created)
		return nil
	}
	err := s.encodeCatalog(ctx, g, row, func(batch []numbered, made []coded) error {
		s.putWords(batch)
		return g.putAll(made)
	})
	if err != nil {
		return err
	}
	if s.bridges(true) {
		if g, err = s.beginBridged(ctx, g); err != nil {
			return err
		}
	}
	parts.done("catalog")
	defer parts.done("index")
	return s.openIndex(ctx, g)
}

// openIndex gives the first generation its index: from the snapshot, which is brought
// up to date, or built from the vectors.
func (s *Shop) openIndex(ctx context.Context, g *generation) error {
	serving := Flat
	if s.hasSnapshot() {
		serving = HNSW // it did before the start
	}
	engine := s.choose(serving, int(g.encoded.Load()))
	if engine != HNSW || !s.restore(ctx, g) {
		if err := s.build(ctx, g.space, engine, allCores()); err != nil {
			return err
		}
	}
	g.following = true
	s.tidySnapshot()
	if err := s.beginModel(ctx, g); err != nil {
		return err
	}
	g.name()
	return nil
}

// Close ends the applier, the upkeep, the encoder's backlog, the making of users' vectors and the decision log, waits for them, and saves
// the graph and the counters. The store stays open.
func (s *Shop) Close() error {
	s.end()
	<-s.upkept
	<-s.swept
	<-s.tasted
	if s.encoding != nil {
		<-s.encoding.ended
	}
	s.refreshing.Lock() // a Refresh under way ends early
	defer s.refreshing.Unlock()
	s.stop()
	s.decisions.close()
	if g := s.gen.Load(); s.unsaved(g) > 0 {
		s.writeSnapshot(g)
	}
	seq, _ := s.applied.load()
	if seq == s.saving.at.Load() {
		return nil
	}
	raw, err := s.copyCounters()
	if err == nil {
		err = s.saveCounters(seq, raw)
	}
	if err != nil && !errors.Is(err, record.ErrClosed) {
		return fmt.Errorf("saving counters: %w", err)
	}
	return nil
}

// firstSeen lists an item among the new ones: by its own time of creation, else
// by that of its first upload.
func (s *Shop) firstSeen(number uint32, it *record.Item, received time.Time) {
	at := it.Created
	if at.IsZero() {
		at = received
	}
	if !at.IsZero() {
		s.arrivals.Add(number, at.UnixMicro())
	}
}

// tableItem converts a row for the item table.
func tableItem(it *record.Item) catalog.Item {
	out := catalog.Item{
		ID: it.ID, Title: it.Title, Stock: it.Stock, Hidden: it.Hidden,
		AvailableFrom: micros(it.AvailableFrom), AvailableUntil: micros(it.AvailableUntil), Created: micros(it.Created),
		Categories: it.Categories, Tags: it.Tags, Brand: it.Brand, Seller: it.Seller, Language: it.Language, Group: it.Group,
	}
	if it.Price != nil {
		price := it.Price.Float()
		out.Price = &price
	}
	for _, name := range sortedKeys(it.Attributes) {
		out.Attributes = append(out.Attributes, catalog.Attribute{Name: name, Value: tableValue(it.Attributes[name])})
	}
	return out
}

func tableValue(v record.Value) catalog.Value {
	times := make([]int64, len(v.Times))
	for i, t := range v.Times {
		times[i] = t.UnixMicro()
	}
	switch {
	case v.Kind == record.KindString && v.List:
		return catalog.Strings(v.Strings...)
	case v.Kind == record.KindString:
		return catalog.String(v.Strings[0])
	case v.Kind == record.KindNumber && v.List:
		return catalog.Numbers(v.Numbers...)
	case v.Kind == record.KindNumber:
		return catalog.Number(v.Numbers[0])
	case v.Kind == record.KindBool && v.List:
		return catalog.Bools(v.Bools...)
	case v.Kind == record.KindBool:
		return catalog.Bool(v.Bools[0])
	case v.List:
		return catalog.Times(times...)
	}
	return catalog.Time(times[0])
}

// micros is unix microseconds, 0 for no time. The first microsecond of 1970 is told as the next: what ended then has ended.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if at := t.UnixMicro(); at != 0 {
		return at
	}
	return 1
}

// logClock is the largest event time seen, in unix microseconds.
type logClock struct{ at atomic.Int64 }

func (c *logClock) see(at int64) {
	for {
		now := c.at.Load()
		if at <= now || c.at.CompareAndSwap(now, at) {
			return
		}
	}
}

// now is the tenant's time.
func (s *Shop) now() time.Time {
	if s.settings().Clock == record.ClockLog {
		if at := s.clock.at.Load(); at != 0 && at != math.MaxInt64 {
			return time.UnixMicro(at)
		}
	}
	return s.config.Now()
}
