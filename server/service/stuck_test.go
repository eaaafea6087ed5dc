package service_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// unfinished leaves, in the store of a service that is stopped, the plan of an accepted
// replacement, with so many rows titled anew, as a crash leaves it; then an end to it, which
// may be no line of a plan.
func unfinished(t *testing.T, s *shop, rows int, end string) {
	t.Helper()
	o := s.config.Store
	o.Logger = slog.New(slog.DiscardHandler)
	st, err := store.Open(s.config.Data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tenant, err := st.Tenant("default")
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.PutCheckpoint("catalog-plan", tenant.Head().Seq, func(w io.Writer) error {
		out := json.NewEncoder(w)
		lines := []any{map[string]any{"head": map[string]any{"id": "spring", "time": time.Now().UTC()}}}
		for i := range rows {
			lines = append(lines, map[string]any{"item": map[string]any{"ID": fmt.Sprintf("i-%04d", i), "Title": "anew"}})
		}
		for _, l := range lines {
			if err := out.Encode(l); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, end)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAReplacementThatCannotBeDoneKeepsNothingElseFromServing(t *testing.T) {
	for name, c := range map[string]struct {
		rows   int
		end    string
		landed int // rows of the plan that serve after the start
	}{
		"its first line cannot be read":  {0, `{"head":`, 0},
		"a line within cannot be read":   {800, "no line\n", 500},
		"nothing of it can be read":      {0, "\x00\x01", 0},
		"what is left can be read again": {800, "", 800},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *service.Config) { c.HTTP = "127.0.0.1:0" })
			old := season("old", 0, 800)
			if _, err := s.importItems(&kindredv1.ImportOptions{}, old...); err != nil {
				t.Fatal(err)
			}
			before := s.titles()
			s.stop()
			unfinished(t, s, c.rows, c.end)
			s.config.Log = slog.New(slog.DiscardHandler) // it says what is wrong
			s.run(t)
			landed := 0
			for _, line := range s.titles() {
				if strings.HasSuffix(line, " anew") {
					landed++
				}
			}
			if list := s.recommend(&kindredv1.RecommendRequest{Limit: 5}); len(list.Items) != 5 || landed != c.landed {
				t.Errorf("%v is shown, %d rows of the plan are there, want %d", ids(list.Items), landed, c.landed)
			}
			s.upsert(item("single", "A row of its own", "Home")) // all but replacements goes on
			stuck := "kindred_tenant_replacement_stuck{tenant=\"default\"} "
			_, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(1)}, old[:10]...)
			if c.end == "" { // it was done
				if err != nil {
					t.Fatal(err)
				}
				contains(t, get(t, "http://"+s.service.HTTPAddr()+"/metrics"), stuck+"0")
				return
			}
			code(t, err, codes.FailedPrecondition)
			contains(t, err.Error(), "kindred catalog rollback")
			if c.rows > 0 {
				contains(t, err.Error(), `replacement "spring"`)
			}
			contains(t, get(t, "http://"+s.service.HTTPAddr()+"/metrics"), stuck+"1")
			now := s.titles()
			if dry := must(s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{DryRun: true})); !slices.Equal(now, s.titles()) || c.rows > 0 && dry.ImportId != "spring" {
				t.Errorf("a dry rollback of %q changed something", dry.ImportId)
			}
			s.restart() // it stays stuck
			must(s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{}))
			after := slices.DeleteFunc(s.titles(), func(l string) bool { return strings.HasPrefix(l, "single ") })
			if !slices.Equal(after, before) {
				t.Errorf("the rollback leads to %d rows, such as %q, not to the %d of before", len(after), after[0], len(before))
			}
			contains(t, get(t, "http://"+s.service.HTTPAddr()+"/metrics"), stuck+"0")
			if _, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(1)}, old[:10]...); err != nil || len(s.titles()) != 10 {
				t.Errorf("a replacement after it: %v, %d items", err, len(s.titles()))
			}
			s.restart()
			if len(s.titles()) != 10 {
				t.Errorf("after a restart %d items", len(s.titles()))
			}
		})
	}
}
