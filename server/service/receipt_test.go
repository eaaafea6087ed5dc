package service_test

import (
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// trainedOn keeps a bundle that was trained on some data.
func trainedOn(t *testing.T, data string, of bundle.DataRange) string {
	t.Helper()
	b, err := bundle.Write(filepath.Join(service.ModelsDir(data), "1"), bundle.Manifest{Created: time.Now(), Data: of},
		map[string]bundle.Payload{"words.txt": func(w io.Writer) error { _, err := io.WriteString(w, "words"); return err }}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return string(b.Hash())
}

func TestEraseSaysWhatWent(t *testing.T) {
	data := t.TempDir()
	after := trainedOn(t, data, bundle.DataRange{LogHead: 1000, Events: 10})
	trainedOn(t, data, bundle.DataRange{LogHead: 3, Events: 3}) // before the person came
	s := start(t, func(c *service.Config) { c.Data = data })
	s.upsert(shelf()...)
	first := view("1", "u", "pen-1")
	first.SessionId = "beside"
	s.write(first, view("2", "u", "pen-2"))
	must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{UserId: "u"}}))
	must(s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "merged", UserId: "u"}))
	page := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 2})
	lists := int64(0)
	if page.NextPageToken != "" {
		lists = 1
	}
	reply := must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("u")}))
	if reply.Events != 2 || reply.Decisions != 1 || !reply.Profile || reply.WriteToken == "" || reply.Lists != lists || reply.Sessions != 2 {
		t.Errorf("receipt %v, want 2 events, 1 decision, the profile, %d lists and 2 sessions", reply, lists)
	}
	if !slices.Equal(reply.ModelHashes, []string{after}) {
		t.Errorf("models %v, want %s", reply.ModelHashes, after)
	}
	if reply.DiskWithin.AsDuration() != time.Hour {
		t.Errorf("its bytes leave the disk within %s", reply.DiskWithin.AsDuration())
	}
}
