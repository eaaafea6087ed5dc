package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/internal/retry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// tenths is how many equal parts of the asked log have figures of their own.
const tenths = 10

// writeBatch is how many events one call writes at most: even with the longest texts it stays below what gRPC takes.
const writeBatch = 250

// Run replays the log of a source over a connection. An error means that the replay did not reach the end of the log; with
// Options.Checkpoint, the same call goes on from there.
func Run(ctx context.Context, conn grpc.ClientConnInterface, source dataset.Source, o Options) (result *Result, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	log, found, err := readLog(source, o)
	if err != nil {
		return nil, err
	}
	catalog, err := catalogSize(ctx, conn)
	if err != nil {
		return nil, err
	}
	file, catalog, records, err := openCheckpoint(o.Checkpoint, header{checkpointVersion, catalog, identity(log, o)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.close()) }()
	r := newReplay(conn, log, catalog, o)
	r.disorder, r.file = found, file
	if err := r.run(ctx, records); err != nil {
		return nil, r.ended(err)
	}
	return r.result(), nil
}

// ended says how far a replay came that did not reach the end.
func (r *replay) ended(err error) error {
	at := "before the first"
	if r.done > 0 {
		at = "at " + r.log[min(r.done, len(r.log))-1].Time.Format(time.RFC3339) + " of the log"
	}
	rest := ""
	if r.file != nil {
		rest = "; " + r.file.path + " keeps what was done: the same command goes on from there"
	}
	return fmt.Errorf("replay: after %d of %d events, %s: %w%s", r.done, len(r.log), at, err, rest)
}

// catalogSize is 0 where the key may not read the catalog: then coverage is a count alone.
func catalogSize(ctx context.Context, conn grpc.ClientConnInterface) (int64, error) {
	reply, err := kindredv1.NewCatalogServiceClient(conn).ListItems(ctx, &kindredv1.ListItemsRequest{PageSize: 1})
	if notAllowed(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("replay: ask for the size of the catalog: %w", err)
	}
	return reply.GetCatalogItems(), nil
}

// replay is one replay under way. All but ask runs on one goroutine.
type replay struct {
	Options
	log         []dataset.Event
	disorder    disorder
	warmUp      int // events that are only written
	recommender kindredv1.RecommendationServiceClient
	events      kindredv1.EventServiceClient
	catalogSize int64
	file        *checkpoint

	start    time.Time // of this part of the replay
	before   float64   // seconds that earlier parts took, by the checkpoint
	pace     pace
	done     int    // events written
	token    string // of the last write
	past     *past
	all      *sums
	tenths   [tenths]*sums
	parts    [segmentCount][tenths + 1]tally // by tenth; the last one is the whole
	shown    [tenths]exposure
	rejected int64
	reasons  []string // of the first rejected rows
}

func newReplay(conn grpc.ClientConnInterface, log []dataset.Event, catalog int64, o Options) *replay {
	r := &replay{Options: o, log: log, warmUp: int(o.WarmUp * float64(len(log))), catalogSize: catalog,
		recommender: kindredv1.NewRecommendationServiceClient(conn), events: kindredv1.NewEventServiceClient(conn),
		past: newPast(log, catalog), all: newSums(), pace: pace{speed: o.Speed}, start: time.Now()}
	for i := range r.tenths {
		r.tenths[i], r.shown[i] = newSums(), exposure{}
	}
	return r
}

// run takes the steps that the checkpoint has from there, and all others to the server.
func (r *replay) run(ctx context.Context, records func() (record, error)) error {
	resume := &resumption{replay: r, records: records}
	number := 0
	for s := range r.steps(r.log, r.warmUp) {
		recalled, err := resume.step(ctx, number, s)
		if err == nil && !recalled {
			err = r.step(ctx, number, s)
		}
		if err != nil {
			return err
		}
		number++
	}
	if err := resume.finish(ctx); err != nil || resume.ended {
		return err
	}
	return r.file.add(r.record(number, nil, true))
}

// step asks for every event of a step, puts the answers down, and writes the events.
func (r *replay) step(ctx context.Context, number int, s step) error {
	answers := make([]answer, len(s.places))
	if !s.warmUp {
		if err := r.pace.wait(ctx, r.log[s.places[0]].Time); err != nil {
			return err
		}
		if err := r.askAll(ctx, s, answers); err != nil {
			return err
		}
	}
	if err := r.file.add(r.record(number, answers, false)); err != nil {
		return err
	}
	r.count(s, answers)
	return r.write(ctx, s, answers, fresh)
}

func (r *replay) record(number int, answers []answer, end bool) record {
	return record{Step: number, Asks: askings(answers), Seconds: r.seconds(), Late: r.pace.late.Seconds(),
		Rejected: r.rejected, Reasons: r.reasons, End: end}
}

func (r *replay) seconds() float64 { return r.before + time.Since(r.start).Seconds() }

func (r *replay) asks(e dataset.Event) bool { return e.Item != "" && slices.Contains(r.Ask, e.Type) }

func (r *replay) askAll(ctx context.Context, s step, answers []answer) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for i, place := range s.places {
		if e := r.log[place]; r.asks(e) {
			group.Go(func() (err error) {
				answers[i], err = r.ask(groupCtx, e, place)
				return err
			})
		}
	}
	return group.Wait()
}

// ask recommends for the person of an event that is not yet revealed.
func (r *replay) ask(ctx context.Context, e dataset.Event, place int) (answer, error) {
	request := &kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: e.User, SessionId: e.Session}, Surface: r.Surface, Limit: int32(r.Limit), SeenPolicy: r.Seen,
		MinWriteToken: r.token, MaxWait: durationpb.New(r.MaxWait),
		Seed: rand.New(rand.NewPCG(r.Seed, uint64(place))).Uint64() | 1, // 0 would let the server draw one
	}
	start := time.Now()
	reply, err := retry.Until(ctx, r.RetryFor, func(ctx context.Context) (*kindredv1.RecommendResponse, error) {
		start = time.Now()
		return r.recommender.Recommend(ctx, request)
	})
	if err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", name(e), err)
	}
	a := answer{asked: true, took: time.Since(start).Truncate(time.Microsecond), lag: reply.GetInfo().GetLag(),
		recommendationID: reply.GetRecommendationId(), wait: time.Duration(reply.GetInfo().GetStageTimes().GetWaitUs()) * time.Microsecond}
	if t := reply.GetTier(); t > 0 && int(t) < len(r.all.tiers) {
		a.tier = t
	}
	for i, item := range reply.GetItems() {
		if i < cutoff {
			a.shown = append(a.shown, item.GetItemId())
		}
		if item.GetItemId() == e.Item && a.rank == 0 {
			a.rank = i + 1
		}
	}
	return a, nil
}

func name(e dataset.Event) string {
	if e.User != "" {
		return fmt.Sprintf("user %q", e.User)
	}
	return fmt.Sprintf("session %q", e.Session)
}

// count adds the answers of a step to the figures, by what was revealed before it, and then counts its events as revealed.
func (r *replay) count(s step, answers []answer) {
	for i, place := range s.places {
		if !answers[i].asked {
			continue
		}
		a := r.past.judge(place, answers[i])
		tenth := (place - r.warmUp) * tenths / (len(r.log) - r.warmUp)
		r.all.add(a)
		r.tenths[tenth].add(a)
		r.shown[tenth].add(a.shown)
		for segment, in := range r.past.segments(place) {
			if in {
				r.parts[segment][tenth].add(a)
				r.parts[segment][tenths].add(a)
			}
		}
	}
	for _, place := range s.places {
		r.past.reveal(place)
	}
}

// newness is what a write expects of its events.
type newness int

const (
	fresh   newness = iota // the server knows none of them
	perhaps                // it may know some: the last step of a checkpoint
	known                  // it knows all of them: a step before that
)

// write reveals the events of a step and keeps the token of the write.
func (r *replay) write(ctx context.Context, s step, answers []answer, expect newness) error {
	for from := 0; from < len(s.places); from += writeBatch {
		until := min(from+writeBatch, len(s.places))
		messages := make([]*kindredv1.Event, 0, until-from)
		for i := from; i < until; i++ {
			shown := ""
			if answers[i].rank > 0 {
				shown = answers[i].recommendationID
			}
			messages = append(messages, eventMessage(r.log[s.places[i]], r.Surface, shown, answers[i].rank))
		}
		if err := r.send(ctx, messages, expect); err != nil {
			return err
		}
	}
	if expect == known {
		return nil // counted before
	}
	r.done += len(s.places)
	if r.Progress != nil {
		r.Progress(r.done, len(r.log))
	}
	return nil
}

func (r *replay) send(ctx context.Context, messages []*kindredv1.Event, expect newness) error {
	tries := 0
	reply, err := retry.Until(ctx, r.RetryFor, func(ctx context.Context) (*kindredv1.WriteEventsResponse, error) {
		tries++
		return r.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: messages})
	})
	if err != nil {
		return fmt.Errorf("write %d events: %w", len(messages), err)
	}
	if tries > 1 {
		expect = max(expect, perhaps) // the reply to one that landed may have been lost
	}
	if err := r.judge(reply, expect); err != nil {
		return err
	}
	if token := reply.GetWriteToken(); token != "" {
		r.token = token
	}
	return nil
}

// maxReasons is how many rejected rows are told in words.
const maxReasons = 5

// judge looks at what the server did not take as new, or did.
func (r *replay) judge(reply *kindredv1.WriteEventsResponse, expect newness) error {
	if expect == known {
		if n := reply.GetAdded(); n > 0 {
			return fmt.Errorf("%w: the server did not know %d events that were written before; it has another store, or lost them: begin anew, with an empty store and another file", ErrCheckpoint, n)
		}
		return nil
	}
	duplicates := int64(0)
	if expect == fresh {
		duplicates = reply.GetDuplicates()
	}
	for _, row := range reply.GetErrors() {
		switch row.GetCode() {
		case kindredv1.RowErrorCode_ROW_ERROR_CODE_EXPIRED:
			return fmt.Errorf("%w: %s; give --key a key of role admin, so that the replay can let the clock of an empty tenant follow the log, or raise the tenant's retention", ErrTooOld, row.GetDescription())
		case kindredv1.RowErrorCode_ROW_ERROR_CODE_ALREADY_EXISTS:
			duplicates++
		default:
			r.rejected++
			if len(r.reasons) < maxReasons {
				r.reasons = append(r.reasons, row.GetDescription())
			}
		}
	}
	if duplicates > 0 && !r.AllowKnown {
		return fmt.Errorf("%w (%d of a batch): it has seen what it is to be asked for; replay into an empty store (server --data NEWDIR), or accept it with --allow-known", ErrKnown, duplicates)
	}
	return nil
}

// resumption takes the steps that a checkpoint has. Their answers are counted as they were; only the last two are written
// again: the last one, since the replay may have been ended between its record and its write, and the one before it, to see
// that the server knows it.
type resumption struct {
	*replay
	records func() (record, error)
	through bool       // no more records
	ended   bool       // the replay had reached its end
	last    []recalled // at most two
}

type recalled struct {
	step
	answers []answer
}

// step takes one step from the checkpoint, if it has it.
func (r *resumption) step(ctx context.Context, number int, s step) (taken bool, err error) {
	if r.through {
		return false, nil
	}
	rec, err := r.records()
	if err == io.EOF {
		return false, r.finish(ctx)
	}
	if err != nil {
		return false, err
	}
	if rec.Step != number || rec.End {
		return false, fmt.Errorf("%w: step %d stands where %d should", ErrCheckpoint, rec.Step, number)
	}
	answers, err := rec.answers(len(s.places))
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	r.remember(rec)
	r.count(s, answers)
	r.done += len(s.places)
	r.last = append(r.last, recalled{s, answers})
	r.last = r.last[max(0, len(r.last)-2):]
	return true, nil
}

func (r *resumption) remember(rec record) {
	r.before, r.rejected, r.reasons = rec.Seconds, rec.Rejected, rec.Reasons
	r.pace.late = time.Duration(rec.Late * float64(time.Second))
	r.start = time.Now()
}

// finish writes the last steps again, once.
func (r *resumption) finish(ctx context.Context) error {
	if r.through {
		return nil
	}
	r.through = true
	switch rec, err := r.records(); {
	case err == nil && rec.End:
		r.ended = true
		r.remember(rec)
		return nil
	case err != nil && err != io.EOF:
		return err
	}
	for i, s := range r.last {
		expect := known
		if i == len(r.last)-1 {
			expect = perhaps
			r.done -= len(s.places)
		}
		if err := r.write(ctx, s.step, s.answers, expect); err != nil {
			return err
		}
	}
	return nil
}
