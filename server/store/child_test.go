package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// The tests that kill or trace a process start this binary again in one of these
// roles.
const (
	roleVariable = "KINDRED_STORE_TEST_ROLE"
	roleWrite    = "write" // write until killed
	roleTrace    = "trace" // write a few batches between marks
	roleHold     = "hold"  // open the store and wait
)

func TestMain(m *testing.M) {
	role, rest, _ := strings.Cut(os.Getenv(roleVariable), " ")
	var err error
	switch role {
	case "":
		os.Exit(m.Run())
	case roleWrite:
		err = writeUntilKilled(strings.Fields(rest))
	case roleTrace:
		err = writeBetweenMarks(strings.Fields(rest))
	case roleHold:
		err = holdStore(rest)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// childEvent is the event n of a writer in a round: 7 users, every third event by
// a session alone.
func childEvent(round, writer, n int) record.Mutation {
	e := &record.Event{
		ID: fmt.Sprintf("%d.%d.%d", round, writer, n), Item: fmt.Sprint("item", n%13),
		Type: record.TypeView, Time: time.Unix(1_700_000_000+int64(n), 0),
	}
	if n%3 == 0 {
		e.Session = fmt.Sprint("session", n%5)
	} else {
		e.User = fmt.Sprint("user", n%7)
	}
	return record.Mutation{Event: e}
}

// childRow is the catalog row that goes with every batch.
func childRow(round, writer, n int) record.Mutation {
	return record.Mutation{Item: &record.Item{
		ID: fmt.Sprintf("row%d", writer), Title: fmt.Sprintf("%d.%d", round, n),
		SourceTime: time.Unix(int64(round)*1_000_000+int64(n), 0),
	}}
}

const childBatch = 5

// childPromotion is the next link of the chain.
func childPromotion(t *Tenant, round, n int) (record.Mutation, error) {
	last, err := t.Promotions(1)
	p := record.Promotion{Bundle: fmt.Sprintf("%032x%032x", round, n)}
	if len(last) > 0 {
		p.Previous = last[0].Bundle
	}
	return record.Mutation{Promote: &p}, err
}

// openChild opens the store as a service does, and its tenant.
func openChild(dir string) (*Store, *Tenant, error) {
	o := DefaultOptions()
	o.Logger = quiet
	s, err := Open(dir, o)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.Tenant("shop")
	if err == nil {
		return s, t, nil
	}
	if _, err = s.CreateTenant(context.Background(), record.Tenant{Name: "shop", Retention: record.MaxRetention}); err != nil {
		return nil, nil, err
	}
	t, err = s.Tenant("shop")
	return s, t, err
}

// writeUntilKilled takes the directory, the round, and for each writer how far
// the round before came. It first sends again what was acknowledged of that and
// a little more, then writes events of its own. Every acknowledged event is a
// line: its id, its status and its place.
func writeUntilKilled(args []string) error {
	round, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	_, t, err := openChild(args[0])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	var mu sync.Mutex
	send := func(batch []record.Mutation) error {
		outcomes, _, err := t.Append(context.Background(), batch)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for i, o := range outcomes {
			switch m := batch[i]; {
			case m.Promote != nil:
				fmt.Fprintf(out, "promoted %s %s %d\n", m.Promote.Bundle, o.Status, o.Seq)
			case m.Event != nil:
				fmt.Fprintf(out, "event %s %s %d\n", m.Event.ID, o.Status, o.Seq)
			default:
				fmt.Fprintf(out, "row %s %s %s\n", m.Item.ID, m.Item.Title, o.Status)
			}
		}
		return out.Flush()
	}
	failed := make(chan error)
	for writer, last := range args[2:] {
		reached, err := strconv.Atoi(last)
		if err != nil {
			return err
		}
		go func() {
			for n := 0; reached > 0 && n < reached+2*childBatch; n++ {
				if err := send([]record.Mutation{childEvent(round-1, writer, n)}); err != nil {
					failed <- err
				}
			}
			for n := 0; ; n += childBatch {
				batch := []record.Mutation{childRow(round, writer, n)}
				for i := range childBatch {
					batch = append(batch, childEvent(round, writer, n+i))
				}
				if writer == 0 {
					p, err := childPromotion(t, round, n)
					if err != nil {
						failed <- err
					}
					batch = append(batch, p)
				}
				if err := send(batch); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// writeBetweenMarks writes batches with a line before and after each, for a
// tracer to see what lies between.
func writeBetweenMarks(args []string) error {
	o := DefaultOptions()
	o.Logger, o.Sync = quiet, args[1] == "sync"
	s, err := Open(args[0], o)
	if err != nil {
		return err
	}
	if _, err := s.CreateTenant(context.Background(), record.Tenant{Name: "shop", Retention: record.MaxRetention}); err != nil {
		return err
	}
	t, err := s.Tenant("shop")
	if err != nil {
		return err
	}
	for n := range tracedBatches {
		fmt.Printf("mark %d sent\n", n)
		if _, _, err := t.Append(context.Background(), []record.Mutation{childEvent(0, 0, n)}); err != nil {
			return err
		}
		fmt.Printf("mark %d acknowledged\n", n)
	}
	return s.Close()
}

const tracedBatches = 5

func holdStore(dir string) error {
	s, _, err := openChild(dir)
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = os.Stdin.Read(make([]byte, 1)) // until the parent closes it
	_ = err
	return s.Close()
}
