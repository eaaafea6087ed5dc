package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
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

// TestOpensAfterAKillBetweenTheStepsOfALog leaves what such a kill leaves.
func TestOpensAfterAKillBetweenTheStepsOfALog(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	mustAppend(t, tenant, view("a", "ann", "i1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00000.mem", "00099.mem", "000099.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, tenant = openTest(t, dir, testOptions())
	if out := mustAppend(t, tenant, view("b", "ann", "i1")); out[0].Seq != 2 {
		t.Errorf("after a restart %+v", out)
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

// TestAFailedWriteThatLeavesNothingToReadIsAnError: Badger panics at every read after it could not start a log. Any other
// panic is not held back.
func TestAFailedWriteThatLeavesNothingToReadIsAnError(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	broken := func(*badger.Txn) error { panic("no memtable") }
	func() {
		defer func() {
			if recover() == nil || tenant.Unreadable() {
				t.Error("a panic without a failed write is held back")
			}
		}()
		_ = s.view(broken)
	}()
	go func() {
		time.Sleep(5 * time.Millisecond) // the committer hears of it last
		s.fail(errors.New("file too large"), nil)
	}()
	for range 2 {
		if err := s.view(broken); !errors.Is(err, record.ErrUnreadable) || !tenant.Unreadable() {
			t.Errorf("a read says %v, unreadable: %v", err, tenant.Unreadable())
		}
	}
}
