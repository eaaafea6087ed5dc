package direct

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

func network(workers int) *Network {
	c := transformertest.Small
	c.Positions = 512
	return New(&checkpoint.Model{Config: c, Pooling: checkpoint.Mean, MaxTokens: 512, Weights: transformertest.Weights(c, 3)}, workers)
}

func random(n, most int) batch.Texts {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(most)))
	x := batch.Texts{Starts: []int{0}}
	for range n {
		for range 1 + rng.IntN(most) {
			x.IDs = append(x.IDs, int32(rng.IntN(transformertest.Small.Vocab)))
		}
		x.Starts = append(x.Starts, len(x.IDs))
	}
	return x
}

// The vector of a text does not depend on who computes it, nor on what is computed with
// it, not even in the last bit.
func TestGroupsAndTeamsGiveTheSameBits(t *testing.T) {
	for _, texts := range []batch.Texts{random(1, 512), random(3, 40), random(40, 9), random(60, 90), random(7, 512)} {
		h := transformertest.Small.Hidden
		want := make([]float32, texts.Len()*h)
		if err := network(1).Encode(t.Context(), texts, want); err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{2, 3, 4, 7} {
			n := network(workers)
			for _, run := range []func(context.Context, batch.Texts, []float32) error{n.Encode, n.together, n.groups} {
				got := make([]float32, len(want))
				if err := run(t.Context(), texts, got); err != nil {
					t.Fatal(err)
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%d texts, %d workers: component %d is %g, want %g", texts.Len(), workers, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// A fault of the program in one goroutine is an error of the call, and leaves nobody
// waiting at the barrier; the network goes on.
func TestAPanicBecomesAnError(t *testing.T) {
	n := network(3)
	out := make([]float32, 2*transformertest.Small.Hidden)
	bad := batch.Texts{IDs: []int32{1, 1 << 30, 2, 2}, Starts: []int{0, 2, 4}}
	for range 3 {
		if err := n.Encode(t.Context(), bad, out); err == nil || !strings.Contains(err.Error(), "out of range") {
			t.Fatalf("got %v", err)
		}
	}
	n.members[1].own.x = nil
	if err := n.Encode(t.Context(), random(2, 8), out); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestAMemberThatBreaksReleasesTheOthers(t *testing.T) {
	n := network(3)
	team := &team{size: 3}
	err := n.each(func(m *member) {
		if m.rank == 2 {
			panic("broken")
		}
		team.meet()
	}, team.abandon)
	if err == nil {
		t.Fatal("no error")
	}
}

func TestAWaitingCallHeedsItsContext(t *testing.T) {
	n := network(1)
	n.permit <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := n.Encode(ctx, random(1, 4), make([]float32, transformertest.Small.Hidden)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
