package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// acknowledged is what the killed processes said was written.
type acknowledged struct {
	events  map[string]uint64   // place by id
	rows    map[string][]string // acknowledged titles by id, in order
	bundles map[string]uint64   // place by hash of promoted ones
	reached []int               // events acknowledged by each writer in this round
}

// TestKilledProcessLosesNothing kills a process that writes with several writers
// at random moments, starts it again on the same directory, and lets it send
// again what it had sent: in the end every acknowledged event is there once, at
// the place that was acknowledged.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds, writers := 20, 4
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(7, 7))
	all := acknowledged{events: map[string]uint64{}, rows: map[string][]string{}, bundles: map[string]uint64{}, reached: make([]int, writers)}
	for round := range rounds {
		args := []string{roleWrite, dir, fmt.Sprint(round)}
		for w := range all.reached {
			args = append(args, fmt.Sprint(all.reached[w]))
			all.reached[w] = 0
		}
		killAtRandom(t, args, random, round, &all)
	}
	s, tenant, err := openChild(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	checkAcknowledged(t, tenant, &all)
	t.Logf("%d rounds: %d events acknowledged, 0 lost, 0 doubled", rounds, len(all.events))
}

// killAtRandom runs a round and kills it a while after its first answer.
func killAtRandom(t *testing.T, args []string, random *rand.Rand, round int, all *acknowledged) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"="+strings.Join(args, " "))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what the kill cut off was not acknowledged
		}
		if first {
			timer := time.AfterFunc(time.Duration(random.IntN(150))*time.Millisecond, func() { _ = child.Process.Kill() })
			defer timer.Stop()
		}
		all.note(t, round, line)
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("round %d ended by itself: %v", round, err)
	}
}

// note takes one acknowledged line.
func (a *acknowledged) note(t *testing.T, round int, line string) {
	t.Helper()
	var id, status, title string
	var seq uint64
	if n, _ := fmt.Sscanf(line, "promoted %s %s %d", &id, &status, &seq); n == 3 {
		if status != record.Added.String() && status != record.Changed.String() {
			t.Fatalf("promotion of %s: %s", id, status)
		}
		a.bundles[id] = seq
		return
	}
	if n, _ := fmt.Sscanf(line, "event %s %s %d", &id, &status, &seq); n == 3 {
		if first, known := a.events[id]; known && (first != seq || status != record.Unchanged.String()) {
			t.Fatalf("event %s was acknowledged at %d, and again as %s at %d", id, first, status, seq)
		}
		if status != record.Added.String() && status != record.Unchanged.String() {
			t.Fatalf("event %s: %s", id, status)
		}
		a.events[id] = seq
		var r, w, k int
		if _, err := fmt.Sscanf(id, "%d.%d.%d", &r, &w, &k); err == nil && r == round {
			a.reached[w] = max(a.reached[w], k+1)
		}
		return
	}
	if n, _ := fmt.Sscanf(line, "row %s %s %s", &id, &title, &status); n == 3 && status != record.Stale.String() {
		a.rows[id] = append(a.rows[id], title)
	}
}

func checkAcknowledged(t *testing.T, tenant *Tenant, all *acknowledged) {
	t.Helper()
	found := map[string]uint64{}
	owners := map[uint64]int{}
	last := uint64(0)
	err := tenant.ScanLog(0, func(e record.Entry) error {
		if e.Seq <= last {
			t.Errorf("place %d after %d", e.Seq, last)
		}
		last = e.Seq
		if e.Event == nil {
			return nil
		}
		if at, twice := found[e.Event.ID]; twice {
			t.Errorf("event %s is at %d and at %d", e.Event.ID, at, e.Seq)
		}
		found[e.Event.ID] = e.Seq
		owners[e.Stored.UserNumber]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, seq := range all.events {
		if found[id] != seq {
			t.Errorf("event %s was acknowledged at %d and is at %d", id, seq, found[id])
		}
	}
	for owner, n := range owners {
		events, err := tenant.History(owner, 0, len(found)+1)
		if err != nil || len(events) != n {
			t.Errorf("the log has %d events of one person, their history %d: %v", n, len(events), err)
		}
	}
	for id, titles := range all.rows {
		it, _, err := tenant.Item(id)
		// A later row may have been written without its answer being read.
		if want := titles[len(titles)-1]; err != nil || before(it.Title, want) {
			t.Errorf("row %s has title %q, %q was acknowledged: %v", id, it.Title, want, err)
		}
	}
	checkPromotions(t, tenant, all)
	if len(all.events) == 0 || len(all.rows) == 0 || len(all.bundles) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// checkPromotions finds every acknowledged promotion in the chain, each after the one it
// names.
func checkPromotions(t *testing.T, tenant *Tenant, all *acknowledged) {
	t.Helper()
	list, err := tenant.Promotions(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for i, p := range list {
		found[p.Bundle] = p.Seq
		if i+1 < len(list) && p.Previous != list[i+1].Bundle {
			t.Errorf("the promotion at %d follows %s, it names %s", p.Seq, list[i+1].Bundle, p.Previous)
		}
	}
	for bundle, seq := range all.bundles {
		if found[bundle] != seq {
			t.Errorf("bundle %s was promoted at %d and is at %d", bundle, seq, found[bundle])
		}
	}
}

// before compares titles of the form round.number.
func before(a, b string) bool {
	var ra, na, rb, nb int
	fmt.Sscanf(a, "%d.%d", &ra, &na)
	fmt.Sscanf(b, "%d.%d", &rb, &nb)
	return ra < rb || ra == rb && na < nb
}
