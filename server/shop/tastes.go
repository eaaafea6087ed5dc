package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
)

// UserEncoder makes the vectors of many users elsewhere, such as on a worker with a GPU.
// It is safe for concurrent use.
type UserEncoder interface {
	// Open begins to do so by a bundle, until Close or the end of ctx. It may return nil
	// without an error: it does not, and that is no fault.
	Open(ctx context.Context, b *bundle.Bundle) (UserSession, error)
}

// UserSession makes vectors by one bundle, for one goroutine at a time.
type UserSession interface {
	// Dim is the dimension of the vectors.
	Dim() int
	// Encode writes [len(users), Dim] float32, as Behaviour.Encode makes them; a row of
	// zeros where the acts say nothing. Acts are not kept; vectors of texts may be until
	// Close. An error ends the session.
	Encode(users [][]Act, dst []float32) error
	Close()
}

// A new generation makes the vectors of all users old. What follows makes those of the
// cached profiles anew, in the background, the last used first, so that their next requests
// find them. Profiles that are not in memory are read and encoded by their next request:
// most of what that costs is the reading, and a vector that is kept on disk would have to
// be thrown away with each event, each new bundle and each change of an item.
const (
	// batchUsers and batchActs bound a batch that goes elsewhere.
	batchUsers = 1024
	batchActs  = 1 << 16
	// fewUsers are encoded in process at a time: some milliseconds.
	fewUsers = 16
	// restTimes is how many times as long as it took the process rests then: nobody waits
	// for these vectors, and all else goes before.
	restTimes = 3
)

// keepTastes makes the users' vectors anew whenever another generation with a model serves.
// It ends with s.life and closes done.
func (s *Shop) keepTastes(done chan<- struct{}) {
	defer close(done)
	for last := int64(0); s.models != nil && s.life.Err() == nil; {
		moved := s.models.moved.next()
		if g := s.gen.Load(); g.model != nil && g.number != last {
			last = g.number
			s.renewTastes(s.life, g)
			continue
		}
		select {
		case <-moved:
		case <-s.life.Done():
		}
	}
}

// renewTastes makes the vectors of the cached profiles for a generation, until another
// serves.
func (s *Shop) renewTastes(ctx context.Context, g *generation) {
	list := s.profiles.recent()
	begin := time.Now()
	say := func(where string, users int) {
		if users > 0 {
			s.config.Log.Info("users' vectors made anew", "tenant", s.tenant, "where", where, "users", users, "seconds", time.Since(begin).Seconds())
		}
	}
	if s.config.Models.Users != nil && len(list) > 0 {
		left, users, err := s.renewElsewhere(ctx, g, list)
		say("elsewhere", users)
		if err != nil && ctx.Err() == nil {
			s.config.Log.Warn("users' vectors are made in process from here on", "tenant", s.tenant, "error", err)
		}
		list = left
	}
	_, users, _ := s.renewBatches(ctx, g, list, fewUsers, s.encodeGently(ctx, g))
	say("in process", users)
}

// renewElsewhere has a UserEncoder make vectors, and returns the profiles that are left
// when it fails.
func (s *Shop) renewElsewhere(ctx context.Context, g *generation, list []*profile) (left []*profile, users int, err error) {
	b, release, err := s.models.registry.Hold(g.model.hash)
	if err != nil {
		return list, 0, err
	}
	defer release()
	session, err := s.config.Models.Users.Open(ctx, b)
	if err != nil || session == nil {
		return list, 0, err
	}
	defer session.Close()
	if session.Dim() != g.model.dim() {
		return list, 0, fmt.Errorf("bundle %s: its users have dimension %d there and %d here", g.model.hash.Short(), session.Dim(), g.model.dim())
	}
	return s.renewBatches(ctx, g, list, batchUsers, session.Encode)
}

// encodeGently makes vectors in process and rests after it.
func (s *Shop) encodeGently(ctx context.Context, g *generation) func([][]Act, []float32) error {
	return func(users [][]Act, dst []float32) error {
		begin := time.Now()
		for i, acts := range users {
			if row := dst[i*g.model.dim() : (i+1)*g.model.dim()]; !g.model.behaviour.Encode(row, acts) {
				clear(row)
			}
		}
		select {
		case <-time.After(restTimes * time.Since(begin)):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
}

// renewBatches gives profiles the vectors that encode makes, and returns those that are
// left when it fails, and how many got one.
func (s *Shop) renewBatches(ctx context.Context, g *generation, list []*profile, size int, encode func([][]Act, []float32) error) (left []*profile, users int, err error) {
	var b tasteBatch
	for len(list) > 0 {
		if ctx.Err() != nil || s.gen.Load() != g {
			return nil, users, ctx.Err()
		}
		rest := b.fill(g, list, size)
		dim := g.model.dim()
		vectors := make([]float32, len(b.users)*dim) // the profiles keep parts of it
		if len(b.users) > 0 {
			if err := encode(b.users, vectors); err != nil {
				return list, users, err
			}
		}
		for i, p := range b.profiles {
			v := vectors[i*dim : (i+1)*dim : (i+1)*dim]
			if isZero(v) {
				v = nil
			}
			// A copy, so that one profile that stays does not keep its whole batch.
			b.tastes[i].vector = append([]float32(nil), v...)
			p.give(b.tastes[i])
		}
		users += len(b.users)
		list = rest
	}
	return nil, users, nil
}

// tasteBatch is profiles whose vectors are being made.
type tasteBatch struct {
	profiles []*profile
	tastes   []*taste // without vectors
	users    [][]Act
	person   person
}

// fill takes some profiles whose vectors are old from the front of a list, and returns the
// rest of it.
func (b *tasteBatch) fill(g *generation, list []*profile, size int) []*profile {
	b.profiles, b.tastes, b.users = b.profiles[:0], b.tastes[:0], b.users[:0]
	acts := 0
	for len(list) > 0 && len(b.users) < size && acts < batchActs {
		p := list[0]
		list = list[1:]
		made, touches := p.stale(g, b.person.touches[:0])
		if made == nil {
			continue
		}
		b.person.touches, b.person.acts = touches, nil
		b.person.gather(touches, g)
		acts += len(touches)
		b.profiles, b.tastes, b.users = append(b.profiles, p), append(b.tastes, made), append(b.users, b.person.acts)
	}
	return list
}

// stale returns a taste to be made, without its vector, and the touches that it is made
// of; nil if there is none to make.
func (p *profile) stale(g *generation, room []touch) (*taste, []touch) {
	changes := g.users().changes.Load() // before the vectors are read: what changes later makes the taste old
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loaded || len(p.touches) == 0 || p.taste.current(g, p.seq, changes) {
		return nil, nil
	}
	last := p.touches[max(0, len(p.touches)-g.model.behaviour.Window()):]
	return &taste{gen: g.number, seq: p.seq, changes: changes}, append(room, last...)
}

// give gives a profile its taste, unless an event has arrived or a request was faster.
func (p *profile) give(made *taste) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.taste
	if p.seq != made.seq || now != nil && (now.gen > made.gen || now.gen == made.gen && now.seq == made.seq && now.changes >= made.changes) {
		return
	}
	p.taste = made
	p.weigh()
}
