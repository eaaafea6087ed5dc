package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"QueueMutations": func(o *Options) { o.QueueMutations = 0 }, "QueueBytes": func(o *Options) { o.QueueBytes = 1 },
		"GroupMutations": func(o *Options) { o.GroupMutations = -1 }, "GroupBytes": func(o *Options) { o.GroupBytes = 0 },
		"MaxItems": func(o *Options) { o.MaxItems = 0 }, "MaxUsers": func(o *Options) { o.MaxUsers = 0 },
		"MaxValue": func(o *Options) { o.MaxValue = 1 << 20 }, "DecisionTTL": func(o *Options) { o.DecisionTTL = 1 },
		"ListTTL": func(o *Options) { o.ListTTL = -1 }, "MemTable": func(o *Options) { o.MemTable = 1 << 20 },
		"MemTables": func(o *Options) { o.MemTables = 0 }, "BlockCache": func(o *Options) { o.BlockCache = 0 },
		"IndexCache": func(o *Options) { o.IndexCache = 0 }, "Directory": func(o *Options) { o.Directory = 0 },
		"Reserve": func(o *Options) { o.Reserve = -1 }, "FollowBuffer": func(o *Options) { o.FollowBuffer = 0 },
		"Logger": func(o *Options) { o.Logger = nil }, "Now": func(o *Options) { o.Now = nil }, "Random": func(o *Options) { o.Random = nil },
	} {
		o := DefaultOptions()
		change(&o)
		if s, err := Open(t.TempDir(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if err := DefaultOptions().validate(); err != nil {
		t.Error(err)
	}
}

func TestHeldDirectoryNamesItsHolder(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"="+roleHold+" "+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the holder said %q: %v", line, err)
	}
	_, err = Open(dir, testOptions())
	if !errors.Is(err, record.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprint("process ", child.Process.Pid)) || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v", err)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir, testOptions())
}

// blockCommitter keeps the committer busy until release is called.
func blockCommitter(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, done := make(chan struct{}), make(chan struct{})
	r := &request{control: func(*writer) error { close(entered); <-done; return nil }, done: make(chan struct{})}
	if err := s.queue.put(r); err != nil {
		t.Fatal(err)
	}
	<-entered
	return func() { close(done); <-r.done }
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	o := testOptions()
	o.QueueMutations = 10
	s, tenant := openTest(t, t.TempDir(), o)
	batch := make([]record.Mutation, 11)
	if _, _, err := tenant.Append(context.Background(), batch); !errors.Is(err, record.ErrLimit) {
		t.Errorf("a batch that never fits: %v", err)
	}
	release := blockCommitter(t, s)
	waiting := make(chan error)
	go func() {
		_, _, err := tenant.Append(context.Background(), batch[:8])
		waiting <- err
	}()
	for s.Stats().Waiting != 8 {
		time.Sleep(time.Millisecond)
	}
	if _, _, err := tenant.Append(context.Background(), batch[:3]); !errors.Is(err, record.ErrOverloaded) {
		t.Errorf("past the bound: %v", err)
	}
	// Who leaves while the batch waits takes it back.
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, _, err := tenant.Append(ctx, []record.Mutation{view("left", "ann", "i1"), view("left2", "ann", "i1")})
		left <- err
	}()
	for s.Stats().Waiting != 10 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left: %v", err)
	}
	if s.Stats().Waiting != 8 {
		t.Error("the batch still waits")
	}
	release()
	if err := <-waiting; err != nil {
		t.Errorf("the batch that waited: %v", err)
	}
	if _, known := tenant.UserNumber("ann", ""); known {
		t.Error("the batch that was taken back was written")
	}
}

func TestOneSyncForManyWriters(t *testing.T) {
	o := testOptions()
	o.Sync = true
	s, tenant := openTest(t, t.TempDir(), o)
	release := blockCommitter(t, s)
	const writers = 20
	answers := make(chan error)
	for w := range writers {
		go func() {
			_, _, err := tenant.Append(context.Background(), []record.Mutation{view(fmt.Sprint(w), "ann", "i1")})
			answers <- err
		}()
	}
	for s.Stats().Waiting != writers {
		time.Sleep(time.Millisecond)
	}
	before := s.Stats()
	release()
	for range writers {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	after := s.Stats()
	// One for the group that blocked, one for all writers.
	if after.Syncs-before.Syncs != 2 || after.Groups-before.Groups != 1 {
		t.Errorf("%d writers took %d syncs and %d groups", writers, after.Syncs-before.Syncs, after.Groups-before.Groups)
	}
}

// TestErasedPersonIsNotOnDisk looks for a person's words in all files.
func TestErasedPersonIsNotOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	m := view("event-of-annabel", "annabel", "i1")
	m.Event.Session, m.Event.Text = "annabels-session", "annabel says this"
	mustAppend(t, tenant, m, view("event-of-bob", "bob", "i1"),
		record.Mutation{Profile: &record.Profile{User: "annabel", Attributes: map[string]record.Value{
			"home": {Kind: record.KindString, Strings: []string{"annabels home"}},
		}}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "annabel"); n == 0 {
		t.Fatal("the search finds nothing before the erase")
	}
	s, tenant = openTest(t, dir, testOptions())
	mustAppend(t, tenant, record.Mutation{Erase: &record.Erase{User: "annabel"}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = openTest(t, dir, testOptions())
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "annabel"); n != 0 {
		t.Errorf("%d files still know the person", n)
	}
	if n := filesWith(t, dir, "bob"); n == 0 {
		t.Error("the compaction took another person, too")
	}
}

func filesWith(t *testing.T, dir, word string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(word)) {
			n++
		}
	}
	return n
}

// TestRemovalGoesOnAfterACrash leaves the note that a crash in the middle of an
// erase or a merge leaves.
func TestRemovalGoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	session := view("b", "", "i1")
	session.Event.Session = "s1"
	mustAppend(t, tenant, view("a", "ann", "i1"), session, view("c", "bob", "i1"))
	ann, _ := tenant.UserNumber("ann", "")
	from, _ := tenant.UserNumber("", "s1")
	bob, _ := tenant.UserNumber("bob", "")
	err := s.await(&request{control: func(w *writer) error {
		for _, r := range []*storepb.Removal{{Number: ann}, {Number: from, Heir: bob}} {
			if err := place(w, numberKey(tenant.number, kindRemoval, r.Number), r); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, tenant = openTest(t, dir, testOptions())
	if events, err := tenant.History(ann, 0, 10); err != nil || len(events) != 0 {
		t.Errorf("history %v, %v", events, err)
	}
	if events, err := tenant.History(bob, 0, 10); err != nil || len(events) != 2 {
		t.Errorf("history %v, %v", events, err)
	}
	if err := tenant.store.view(func(txn *badger.Txn) error {
		rows, err := firstRows(txn, prefixKey(tenant.number, kindRemoval), 10)
		if len(rows) != 0 {
			t.Errorf("%d notes are left", len(rows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestLargeEraseAndMerge goes past the chunk of a removal and past the bound of
// a transaction.
func TestLargeEraseAndMerge(t *testing.T) {
	o := testOptions()
	o.MemTable = 8 << 20
	_, tenant := openTest(t, t.TempDir(), o)
	const n = 5000
	for first := 0; first < n; first += 1000 {
		var batch []record.Mutation
		for i := range 1000 {
			m := view(fmt.Sprint("s", first+i), "", "i1")
			m.Event.Session = "s1"
			batch = append(batch, m)
		}
		mustAppend(t, tenant, batch...)
	}
	mustAppend(t, tenant, record.Mutation{Merge: &record.Merge{Session: "s1", User: "ann"}})
	number, _ := tenant.UserNumber("ann", "")
	if events, err := tenant.History(number, 0, n+1); err != nil || len(events) != n {
		t.Fatalf("%d events after the merge, %v", len(events), err)
	}
	mustAppend(t, tenant, record.Mutation{Erase: &record.Erase{User: "ann"}})
	if events, err := tenant.History(number, 0, 1); err != nil || len(events) != 0 {
		t.Errorf("%d events after the erase, %v", len(events), err)
	}
	left := 0
	if err := tenant.ScanLog(0, func(record.Entry) error { left++; return nil }); err != nil || left != 1 {
		t.Errorf("%d entries after the erase, %v", left, err)
	}
}

// damage overwrites a row.
func damage(t *testing.T, s *Store, key, value []byte) {
	t.Helper()
	if err := s.await(&request{control: func(w *writer) error { return w.put(row{key: key, value: value}) }}); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCheckpointFallsBack(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	for seq := range uint64(2) {
		if err := tenant.PutCheckpoint("counts", seq+1, func(w io.Writer) error {
			_, err := fmt.Fprint(w, "state ", seq+1)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (at uint64, err error) {
		return at, tenant.Checkpoint("counts", func(seq uint64, r io.Reader) error {
			b, err := io.ReadAll(r)
			if at = seq; string(b) != fmt.Sprint("state ", seq) {
				t.Errorf("state %q at %d", b, seq)
			}
			return err
		})
	}
	var m storepb.Checkpoints
	if err := s.view(func(txn *badger.Txn) error {
		_, err := fetch(reader{txn}, textKey(tenant.number, kindCheckpoint, "counts"), &m)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	bad, err := encode(valueOther, &storepb.Chunk{Content: []byte("state 3"), Checksum: 1})
	if err != nil {
		t.Fatal(err)
	}
	damage(t, s, chunkKey(tenant.number, m.Good[0].Generation, 0), bad)
	if at, err := read(); at != 1 || err != nil {
		t.Errorf("read the state at %d, %v", at, err)
	}
	damage(t, s, chunkKey(tenant.number, m.Good[1].Generation, 0), []byte("x"))
	if _, err := read(); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("two damaged checkpoints: %v", err)
	}
}

func TestDamagedRowsAreNamedAndLeftOut(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	out := mustAppend(t, tenant, view("a", "ann", "i1"), view("b", "ann", "i1"), view("c", "ann", "i1"))
	damage(t, s, numberKey(tenant.number, kindLog, out[1].Seq), []byte{format, valueEvent, 0xff})
	var got []string
	take := func(e record.Entry) error {
		got = append(got, e.Event.ID)
		return nil
	}
	err := tenant.ScanLog(0, take)
	if !errors.Is(err, record.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprint("entry ", out[1].Seq)) {
		t.Errorf("scan: %v", err)
	}
	if err := tenant.ScanLog(out[1].Seq, take); err != nil || strings.Join(got, "") != "ac" {
		t.Errorf("scan past the damage: %v, %v", got, err)
	}
	followed := make(chan string, 10)
	stop, err := tenant.Follow(0, func(entries []record.Entry) {
		for _, e := range entries {
			followed <- e.Event.ID
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, tenant, view("d", "ann", "i1"))
	if a, c, d := <-followed, <-followed, <-followed; a+c+d != "acd" {
		t.Errorf("followed %s %s %s", a, c, d)
	}
	stop()
	// A damaged directory row refuses its event and no other.
	damage(t, s, textKey(tenant.number, kindUser, "bob"), []byte{9})
	out = mustAppend(t, tenant, view("e", "bob", "i1"), view("f", "cid", "i1"))
	if !errors.Is(out[0].Err, record.ErrCorrupt) || out[1].Status != record.Added {
		t.Errorf("outcomes %+v", out)
	}
}

func TestSlowFollowerHoldsUpAndLosesNothing(t *testing.T) {
	o := testOptions()
	o.FollowBuffer = 1
	_, tenant := openTest(t, t.TempDir(), o)
	gate := make(chan struct{})
	var got []uint64
	done := make(chan struct{})
	const n = 20
	stop, err := tenant.Follow(0, func(entries []record.Entry) {
		<-gate
		for _, e := range entries {
			if got = append(got, e.Seq); len(got) == n {
				close(done)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range n {
			if _, _, err := tenant.Append(context.Background(), []record.Mutation{view(fmt.Sprint(i), "ann", "i1")}); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-written:
		t.Error("the follower did not hold up the writer")
	case <-time.After(100 * time.Millisecond):
	}
	close(gate)
	<-written
	<-done
	for i, seq := range got {
		if seq != uint64(i+1) {
			t.Fatalf("entry %d has place %d", i, seq)
		}
	}
}

func TestOrphanChunksGoAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	if err := tenant.PutCheckpoint("counts", 1, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }); err != nil {
		t.Fatal(err)
	}
	damage(t, s, chunkKey(tenant.number, 77, 0), []byte("half a checkpoint"))
	damage(t, s, chunkKey(tenant.number, 77, 1), []byte("half a checkpoint"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, tenant = openTest(t, dir, testOptions())
	if err := s.view(func(txn *badger.Txn) error {
		rows, err := firstRows(txn, prefixKey(tenant.number, kindChunk), 10)
		if len(rows) != 1 {
			t.Errorf("%d chunks are left", len(rows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
