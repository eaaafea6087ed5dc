package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/store"
)

// secret is a key of a caller.
type secret string

func (s secret) GetRequestMetadata(_ context.Context, _ ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(s)}, nil
}

func (secret) RequireTransportSecurity() bool { return false }

// lineTo connects to a process.
func lineTo(t *testing.T, addr, key string) *line {
	t.Helper()
	o := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if key != "" {
		o = append(o, grpc.WithPerRPCCredentials(secret(key)))
	}
	conn, err := grpc.NewClient(addr, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newLine(conn)
}

// kindred is the program as another process.
func kindred(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asKindred+"=1")
	return cmd
}

// ran runs the program to its end and reads its JSON.
func ran(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := kindred(args...)
	var fault strings.Builder
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err == nil && into != nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, fault.String())
	}
}

// stopped ends a process as an operator does.
func (p *process) stopped() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if err := <-p.ended; err != nil {
		p.t.Error("stop:", err)
	}
}

const erasee = "erasee-" // is in every id of those who are erased

// TestWhatWasBackedUpUnderLoadComesBackAndTheErasedDoNot is the whole story with processes
// of their own: backups while a crowd reads and writes, one of them killed and resumed; a
// restore elsewhere, verified and held against the source row by row; then people are
// erased, still under load, and looked for in every byte.
func TestWhatWasBackedUpUnderLoadComesBackAndTheErasedDoNot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	w := t.TempDir()
	data, backups := filepath.Join(w, "data"), filepath.Join(w, "backups")
	var log book
	source := startKindred(t, &log, "--data", data)
	l := lineTo(t, source.grpc, "")
	s := &story{T: t, source: source, line: l, data: data, backups: backups, crowd: newBustle(t, l)}
	s.settle()
	s.crowd.begin()
	s.backUpUnderLoad()
	s.compareUnderLoad(filepath.Join(w, "restored-under-load"))
	s.crowd.end()
	t.Logf("load so far: %d lists, %d events, %d rows of items and profiles, %d keys and settings",
		s.crowd.lists.Load(), s.crowd.written.Load(), s.crowd.rows.Load(), s.crowd.settings.Load())
	s.compareAtRest(filepath.Join(w, "restored"))
	s.crowd.begin()
	s.erase(&log)
	s.crowd.end()
	s.restoreWithout(filepath.Join(w, "restored-without"))
	source.stopped()
}

// story is what the parts of the test share.
type story struct {
	*testing.T
	source        *process
	line          *line
	data, backups string
	crowd         *bustle
	key           string // of an admin
	model         string
	atRest        time.Time // moment of the backup at rest
	persons       int
}

// settle makes a catalog, people, those who will be erased, and a model that learned from
// all of them.
func (s *story) settle() {
	s.Helper()
	var items []*kindredv1.Item
	for i, word := range ringWords {
		items = append(items, &kindredv1.Item{Id: fmt.Sprint("i", i), Title: "A " + word})
	}
	s.must(s.line.catalog.UpsertItems(s.Context(), &kindredv1.UpsertItemsRequest{Items: items}))
	s.persons = 12
	at := time.Now().Add(-48 * time.Hour)
	for u := range s.crowd.people + s.persons {
		who := person(u)
		if u >= s.crowd.people {
			who = fmt.Sprint(erasee, u-s.crowd.people)
		}
		var batch []*kindredv1.Event
		for step := range 6 {
			e := s.crowd.event(who, u+step)
			e.SessionId, e.Text = who+"-phone", "written by "+who
			e.Time = timestamppb.New(at.Add(time.Duration(u+2*step) * time.Minute))
			batch = append(batch, e)
		}
		if err := s.crowd.write(batch); err != nil {
			s.Fatal(err)
		}
	}
	for u := range s.persons {
		who := fmt.Sprint(erasee, u)
		s.must(s.line.profiles.UpsertProfile(s.Context(), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{
			UserId: who, Attributes: map[string]*kindredv1.Value{"home": {Kind: &kindredv1.Value_StringValue{StringValue: "home of " + who}}},
		}}))
		s.must(s.line.profiles.MergeProfiles(s.Context(), &kindredv1.MergeProfilesRequest{SessionId: who + "-tablet", UserId: who}))
		s.must(s.line.recommend.Recommend(s.Context(), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: who}, Limit: 3, Paginate: true}))
	}
	var made struct{ Bundle string }
	ran(s.T, &made, append([]string{"train", "--addr", s.source.grpc, "--promote", "--json"}, quick...)...)
	s.model = made.Bundle
	key, err := s.line.admin.CreateKey(s.Context(), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_ADMIN, Name: "operator"})
	if err != nil {
		s.Fatal(err)
	}
	s.key = key.Secret
}

func (s *story) must(_ any, err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *story) take() (m backup.Manifest) {
	s.Helper()
	ran(s.T, &m, "backup", "--addr", s.source.grpc, "--out", s.backups, "--json")
	s.Logf("backup %d (full: %v): %d rows, %.1f MB, %d models, as of %s", m.Number, m.Full, m.Rows, float64(m.Bytes())/1e6, len(m.Bundles), m.Time.Format(time.RFC3339Nano))
	return m
}

// backUpUnderLoad takes a whole backup and two that add to it, the first of which is killed
// on its way and goes on.
func (s *story) backUpUnderLoad() {
	s.Helper()
	if m := s.take(); m.Number != 1 || !m.Full {
		s.Fatalf("manifest %+v", m)
	}
	for round := 0; ; round++ {
		s.fill()
		if s.killed() {
			break
		}
		if round == 5 {
			s.Fatal("the backup always ends before it can be killed")
		}
		s.Log("the backup ended before it could be killed; once more")
	}
	m := s.take()
	if m.Full || len(m.Files) < 2 {
		s.Errorf("it did not go on from where it was: %+v", m)
	}
	if m := s.take(); m.Full {
		s.Errorf("manifest %+v", m)
	}
}

// fill writes some tens of megabytes, so that a backup takes a while.
func (s *story) fill() {
	s.Helper()
	text := strings.Repeat("a long comment; ", 56)
	for i := range 30 {
		var batch []*kindredv1.Event
		for k := range 500 {
			e := s.crowd.event(fmt.Sprint("writer-", (i*500+k)%3000), k)
			e.Text = text
			batch = append(batch, e)
		}
		if err := s.crowd.write(batch); err != nil {
			s.Fatal(err)
		}
	}
}

// killed begins a backup and kills it once some of it is noted; false: it was done before.
func (s *story) killed() bool {
	s.Helper()
	cmd := kindred("backup", "--addr", s.source.grpc, "--out", s.backups)
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	note := filepath.Join(s.backups, "unfinished", "progress.json")
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.Fatal(err)
			}
			return false
		case <-time.After(time.Millisecond):
		}
		if raw, err := os.ReadFile(note); err == nil {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				s.Fatal(err)
			}
			if err := <-ended; err == nil {
				return false
			}
			var so struct {
				Rows  int64
				Files []backup.File
			}
			if err := json.Unmarshal(raw, &so); err != nil {
				s.Fatal(err)
			}
			s.Logf("killed with %d rows noted", so.Rows)
			return true
		}
	}
}

// restore makes a store of the backups and verifies it, both with the command line.
func (s *story) restore(to string, args ...string) (report backup.Report) {
	s.Helper()
	ran(s.T, &report, append([]string{"restore", "--from", s.backups, "--data", to, "--json"}, args...)...)
	s.Logf("restored backup %d as of %s, %d persons erased again", report.Backup, report.Moment.Format(time.RFC3339Nano), report.Erased)
	s.verified(filepath.Base(to), "--data", to)
	return report
}

// verified has the command line verify a store; it ends with 1 where something is wrong.
func (s *story) verified(what string, args ...string) {
	s.Helper()
	var found store.Verification
	ran(s.T, &found, append([]string{"verify", "--json"}, args...)...)
	rows, files := int64(0), int64(0)
	for _, n := range found.Counts {
		if slices.Contains([]string{"table", "model", "index"}, n.Kind) {
			files += n.Rows
		} else {
			rows += n.Rows
		}
	}
	s.Logf("verified %s: %d rows, %d files of tables, models and indexes, %d faults", what, rows, files, len(found.Faults))
}

// opened reads a store that nobody serves.
func (s *story) opened(data string, fn func(*store.Store)) *rowsOf {
	s.Helper()
	st, err := store.Open(data, store.DefaultOptions())
	if err != nil {
		s.Fatal(err)
	}
	defer st.Close()
	rows, err := readRows(s.Context(), backup.Local{Store: st})
	if err != nil {
		s.Fatal(err)
	}
	fn(st)
	return rows
}

// compareUnderLoad holds a restored store against the source, which goes on meanwhile, and
// against what the crowd was answered.
func (s *story) compareUnderLoad(to string) {
	s.Helper()
	list, err := backup.Read(s.backups)
	if err != nil {
		s.Fatal(err)
	}
	last := list[len(list)-1]
	s.restore(to)
	s.verified("the source under load", "--addr", s.source.grpc)
	now, err := readRows(s.Context(), api.RemoteBackup{Client: s.line.whole})
	if err != nil {
		s.Fatal(err)
	}
	head := last.Tenants[0].Head
	restored := s.opened(to, func(st *store.Store) { s.compareJournal(st, head) })
	s.Log("as of a moment under load: ", compareRows(s.T, now, restored, last.Version))
}

// compareJournal asks a restored store for what was last answered before a place in the log.
func (s *story) compareJournal(st *store.Store, head uint64) {
	s.Helper()
	tenant, err := st.Tenant("default")
	if err != nil {
		s.Fatal(err)
	}
	s.crowd.mu.Lock()
	defer s.crowd.mu.Unlock()
	n := 0
	for what := range s.crowd.journal {
		kind, id, _ := strings.Cut(what, " ")
		got, want := "", s.crowd.asOf(what, head)
		if kind == "item" {
			if it, _, err := tenant.Item(id); err == nil {
				got = it.Title
			}
		} else if p, err := tenant.Profile(id); err == nil && len(p.Attributes["version"].Strings) == 1 {
			got = p.Attributes["version"].Strings[0]
		}
		if got != want {
			s.Errorf("%s is %q, at that moment it was %q", what, got, want)
		}
		n++
	}
	s.Logf("%d items and profiles that went on changing have the version that they had at place %d of the log", n, head)
}

// compareAtRest does the same with nothing going on, where all must be equal, and asks both
// services for lists.
func (s *story) compareAtRest(to string) {
	s.Helper()
	m := s.take()
	s.atRest = m.Time
	s.restore(to)
	now, err := readRows(s.Context(), api.RemoteBackup{Client: s.line.whole})
	if err != nil {
		s.Fatal(err)
	}
	restored := s.opened(to, func(*store.Store) {})
	c := compareRows(s.T, now, restored, m.Version)
	s.Log("at rest: ", c)
	for _, kind := range []string{"log", "event ids", "histories", "users", "sessions", "merges", "profiles", "items", "decisions", "page lists", "promotions", "keys", "settings, policies, experiments"} {
		if c.kinds[kind] == 0 {
			s.Errorf("no %s were compared", kind)
		}
	}
	files, size := sameFiles(s.T, filepath.Join(s.data, "models"), filepath.Join(to, "models"))
	// The source's audit log has the end of the backup itself, too.
	acts, err := os.ReadFile(filepath.Join(s.data, "audit", "default.jsonl"))
	if err != nil {
		s.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(to, "audit", "default.jsonl"))
	if err != nil || !bytes.HasPrefix(acts, kept) || bytes.Count(kept, []byte("/CreateKey")) < len(s.crowd.names) {
		s.Errorf("the audit log of %d bytes is not the first of %d, %v", len(kept), len(acts), err)
	}
	s.Logf("equal byte by byte: %d files of models (%.1f MB), %d lines of the audit log", files, float64(size)/1e6, bytes.Count(kept, []byte("\n")))
	s.compareLists(to)
}

// compareLists serves a restored store and asks it for the same lists as the source. The
// restored service knows the keys of the source, so that it asks for one.
func (s *story) compareLists(data string) {
	s.Helper()
	var log book
	p := startKindred(s.T, &log, "--data", data)
	defer p.stopped()
	if _, err := lineTo(s.T, p.grpc, "").recommend.Recommend(s.Context(), &kindredv1.RecommendRequest{Limit: 1}); status.Code(err) != codes.Unauthenticated {
		s.Errorf("without a key: %v", err)
	}
	other, places := lineTo(s.T, p.grpc, s.key), 0
	for u := range s.crowd.people {
		ask := &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: person(u)}, Limit: 10, Seed: uint64(u + 1)}
		a, err := s.line.recommend.Recommend(s.Context(), ask)
		if err != nil {
			s.Fatal(err)
		}
		b, err := other.recommend.Recommend(s.Context(), ask)
		if err != nil {
			s.Fatal(err)
		}
		if x, y := shown(a), shown(b); len(x) == 0 || !slices.Equal(x, y) || a.Tier != b.Tier {
			s.Errorf("%s is shown %v (%s), by the source %v (%s)", person(u), y, b.Tier, x, a.Tier)
		}
		places += len(a.Items)
	}
	s.Logf("%d lists of %d places are equal", s.crowd.people, places)
}

func shown(r *kindredv1.RecommendResponse) (list []string) {
	for _, it := range r.Items {
		list = append(list, it.ItemId)
	}
	return list
}

// erase erases people while the crowd goes on, has it leave the disk, and looks for them.
func (s *story) erase(log *book) {
	s.Helper()
	for u := range s.persons {
		if word := fmt.Sprint(erasee, u); len(search(s.T, s.data, word).found) == 0 {
			s.Fatalf("%s is not found before the erase, so that a search shows nothing", word)
		}
	}
	var sum kindredv1.EraseProfileResponse
	for u := range s.persons {
		who := &kindredv1.Subject{UserId: fmt.Sprint(erasee, u)}
		r, err := s.line.profiles.EraseProfile(s.Context(), &kindredv1.EraseProfileRequest{Subject: who})
		if err != nil {
			s.Fatal(err)
		}
		if r.Events != 6 || !r.Profile || r.Decisions != 1 || r.Lists != 1 || r.Sessions != 2 || !slices.Equal(r.ModelHashes, []string{s.model}) {
			s.Errorf("the receipt of %s says %v", who.UserId, r)
		}
		sum.Events, sum.Decisions, sum.Lists, sum.Sessions = sum.Events+r.Events, sum.Decisions+r.Decisions, sum.Lists+r.Lists, sum.Sessions+r.Sessions
		_, err = s.line.profiles.EraseProfile(s.Context(), &kindredv1.EraseProfileRequest{Subject: who})
		if status.Code(err) != codes.NotFound {
			s.Errorf("erasing %s again: %v", who.UserId, err)
		}
	}
	ran(s.T, nil, "compact", "--addr", s.source.grpc, "--json")
	s.Logf("receipts of %d persons: %d events, %d decisions, %d page lists, %d sessions, %d profiles; learned from them: %.12s",
		s.persons, sum.Events, sum.Decisions, sum.Lists, sum.Sessions, s.persons, s.model)
	s.absent(s.data)
	if strings.Contains(log.String(), erasee) {
		s.Error("the service's log names who was erased")
	}
}

// absent looks for the erased in every byte under a directory.
func (s *story) absent(data string) {
	s.Helper()
	found := search(s.T, data, erasee)
	if len(found.found) > 0 {
		s.Errorf("the erased are still there: %v", found.found)
	}
	if others := search(s.T, data, person(1)); len(others.found) == 0 {
		s.Error("others went, too")
	}
	s.Logf("%s: %d files, %.1f MB searched, and %d rows of %d tables unpacked, %.1f MB: none of %d persons is found",
		filepath.Base(data), found.files, float64(found.raw)/1e6, found.rows, found.tables, float64(found.unpacked)/1e6, s.persons)
}

// restoreWithout restores to the moment before the erase: the backup after it knows whom to
// leave out.
func (s *story) restoreWithout(to string) {
	s.Helper()
	s.take()
	report := s.restore(to, "--until", s.atRest.Format(time.RFC3339Nano))
	if report.Erased != s.persons || !report.Moment.Equal(s.atRest) {
		s.Errorf("report %+v", report)
	}
	s.absent(to)
}
