package plan

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// rows is how many rows a write holds.
const rows = 500

// serve starts the real service on the sample's store, has do use it, stops it, and gives what the folder then takes on disk.
func (s *sample) serve(ctx context.Context, do func(grpc.ClientConnInterface) error) (disk float64, err error) {
	running, err := service.Start(ctx, service.Config{Data: s.data(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions()})
	if err != nil {
		return 0, err
	}
	err = s.dial(ctx, running.Addr(), do)
	if err = errors.Join(err, running.Stop()); err != nil {
		return 0, err
	}
	return diskOf(s.data())
}

func (s *sample) dial(ctx context.Context, addr string, do func(grpc.ClientConnInterface) error) error {
	client, err := load.Dial(ctx, load.Target{Addr: addr, Connections: 1, Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	return errors.Join(do(client.Conn()), client.Close())
}

// baseline is the service without anything in it.
func (s *sample) baseline(ctx context.Context) error {
	empty := live()
	_, err := s.serve(ctx, func(grpc.ClientConnInterface) error {
		s.costs.FixedMemory = max(live()-empty, 0)
		return nil
	})
	return err
}

// items brings the catalog in by halves.
func (s *sample) items(ctx context.Context) error {
	var memory, disk [2]float64
	for half := range 2 {
		var err error
		disk[half], err = s.serve(ctx, func(conn grpc.ClientConnInterface) error {
			if err := s.upsert(ctx, conn, half*s.m.Items, (half+1)*s.m.Items); err != nil {
				return err
			}
			if _, err := kindredv1.NewAdminServiceClient(conn).RefreshGeneration(ctx, &kindredv1.RefreshGenerationRequest{}); err != nil {
				return err
			}
			memory[half] = live()
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.costs.ItemMemory = (memory[1] - memory[0]) / float64(s.m.Items)
	s.costs.ItemDisk = (disk[1] - disk[0]) / float64(s.m.Items)
	return nil
}

func (s *sample) upsert(ctx context.Context, conn grpc.ClientConnInterface, from, until int) error {
	catalog := kindredv1.NewCatalogServiceClient(conn)
	for from < until {
		request := &kindredv1.UpsertItemsRequest{}
		for ; from < until && len(request.Items) < rows; from++ {
			request.Items = append(request.Items, s.item(from))
		}
		reply, err := catalog.UpsertItems(ctx, request)
		if err != nil {
			return err
		}
		if len(reply.Errors) > 0 {
			return fmt.Errorf("row refused: %v", reply.Errors[0])
		}
	}
	return nil
}

// events has users come by halves, act, and be recommended something, so that their profiles are in memory.
func (s *sample) events(ctx context.Context) error {
	before, err := diskOf(s.data())
	if err != nil {
		return err
	}
	var memory [2]float64
	after, err := s.serve(ctx, func(conn grpc.ClientConnInterface) error {
		for half := range 2 {
			first, end := half*s.m.Users, (half+1)*s.m.Users
			if err := s.write(ctx, conn, first, end, 0, s.m.EventsPerUser); err != nil {
				return err
			}
			client := kindredv1.NewRecommendationServiceClient(conn)
			for user := first; user < end; user++ {
				if _, err := client.Recommend(ctx, s.recommend(user)); err != nil {
					return err
				}
			}
			memory[half] = live()
		}
		return nil
	})
	users := float64(s.m.Users)
	s.costs.ProfileMemory = (memory[1] - memory[0]) / users
	// All of it, with the decisions of the users' one Recommend; requests tells them apart.
	s.costs.EventDisk = after - before
	return err
}

// write has the users do n things each, numbered from a number that no other write has.
func (s *sample) write(ctx context.Context, conn grpc.ClientConnInterface, first, end, number, n int) error {
	client := kindredv1.NewEventServiceClient(conn)
	var batch []*kindredv1.Event
	flush := func() error {
		reply, err := client.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: batch})
		if err != nil {
			return err
		}
		if len(reply.Errors) > 0 {
			return fmt.Errorf("event refused: %v", reply.Errors[0])
		}
		batch = batch[:0]
		return nil
	}
	for user := first; user < end; user++ {
		for i := range n {
			if batch = append(batch, s.event(user, number+i)); len(batch) == rows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}

// event is a view of an item: the users' items are spread over the catalog.
func (s *sample) event(user, n int) *kindredv1.Event {
	return &kindredv1.Event{Id: fmt.Sprintf("e%d.%d", user, n), UserId: fmt.Sprintf("u%d", user), Type: kindredv1.EventType_EVENT_TYPE_VIEW,
		ItemId: s.item(int(uint64(user*7919+n*104729) % uint64(2*s.m.Items))).Id}
}

func (s *sample) recommend(user int) *kindredv1.RecommendRequest {
	return &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: fmt.Sprintf("u%d", user%(2*s.m.Users))}, Limit: 10}
}

// calls times an empty call and one that writes an event.
func (s *sample) calls(ctx context.Context) error {
	_, err := s.serve(ctx, func(conn grpc.ClientConnInterface) (err error) {
		health, events := healthpb.NewHealthClient(conn), kindredv1.NewEventServiceClient(conn)
		if s.costs.EmptyCPU, err = s.timed(ctx, func(ctx context.Context, _ int) error {
			_, err := health.Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		}); err != nil {
			return err
		}
		s.costs.EventCPU, err = s.timed(ctx, func(ctx context.Context, n int) error {
			_, err := events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{s.event(n%(2*s.m.Users), s.m.EventsPerUser+n)}})
			return err
		})
		return err
	})
	return err
}

// requests times Recommend for users whose profile is in memory and who did something since their last: a ranking that is
// reused costs less, a profile that is read from disk more. Then it tells what events and decisions take on disk apart.
func (s *sample) requests(ctx context.Context) error {
	before, err := diskOf(s.data())
	if err != nil {
		return err
	}
	users := 2 * s.m.Users
	var calls, rounds int
	after, err := s.serve(ctx, func(conn grpc.ClientConnInterface) error {
		client := kindredv1.NewRecommendationServiceClient(conn)
		ask := func(user int) error {
			_, err := client.Recommend(ctx, s.recommend(user))
			return err
		}
		if err := each(users, ask); err != nil { // loads the profiles
			return err
		}
		var spent time.Duration
		for began := time.Now(); rounds == 0 || time.Since(began) < s.m.Span; rounds++ {
			if err := s.write(ctx, conn, 0, users, -1-rounds, 1); err != nil {
				return err
			}
			used := load.ProcessorTime()
			if err := each(users, ask); err != nil {
				return err
			}
			spent += load.ProcessorTime() - used
		}
		calls = (1 + rounds) * users
		s.costs.RecommendCPU = float64(spent.Microseconds()) / float64(rounds*users)
		return nil
	})
	if err != nil {
		return err
	}
	// Two equations: in events each user acted often and was asked for once, here they acted once for each time but one.
	first := equation{float64(users * s.m.EventsPerUser), float64(users), s.costs.EventDisk}
	second := equation{float64(users * rounds), float64(calls), after - before}
	s.costs.EventDisk, s.costs.DecisionDisk = solve(first, second)
	s.costs.DecisionDisk = max(s.costs.DecisionDisk, 0) // where the log keeps none, noise may be below 0
	return nil
}

// equation is events * x + decisions * y = disk.
type equation struct{ events, decisions, disk float64 }

func solve(a, b equation) (event, decision float64) {
	d := a.events*b.decisions - b.events*a.decisions
	return (a.disk*b.decisions - b.disk*a.decisions) / d, (a.events*b.disk - b.events*a.disk) / d
}

// each makes n calls, numbered from 0, from as many callers as twice the cores.
func each(n int, call func(n int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, 2*runtime.GOMAXPROCS(0))
	for i := range errs {
		wait.Go(func() {
			for number := next.Add(1) - 1; number < int64(n) && errs[i] == nil; number = next.Add(1) - 1 {
				errs[i] = call(int(number))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// timed makes calls from as many callers as twice the cores for the span, after a warm-up of a quarter of it, and gives the time
// of a core that each took, microseconds.
func (s *sample) timed(ctx context.Context, call func(ctx context.Context, n int) error) (us float64, err error) {
	var numbers atomic.Int64
	run := func(span time.Duration) (calls int64, err error) {
		began, start := time.Now(), numbers.Load()
		var wait sync.WaitGroup
		errs := make([]error, 2*runtime.GOMAXPROCS(0))
		for i := range errs {
			wait.Go(func() {
				for time.Since(began) < span && errs[i] == nil {
					errs[i] = call(ctx, int(numbers.Add(1)))
				}
			})
		}
		wait.Wait()
		return numbers.Load() - start, errors.Join(errs...)
	}
	if _, err := run(s.m.Span / 4); err != nil {
		return 0, err
	}
	used := load.ProcessorTime()
	calls, err := run(s.m.Span)
	if err != nil {
		return 0, err
	}
	spent := load.ProcessorTime() - used
	if spent <= 0 {
		return 0, errors.New("this system does not say how much processor time a process used; use --costs of another machine")
	}
	return float64(spent.Microseconds()) / float64(calls), nil
}
