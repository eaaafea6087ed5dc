package service_test

import (
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestEraseSaysWhatWent(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.write(view("1", "u", "pen-1"), view("2", "u", "pen-2"))
	must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{UserId: "u"}}))
	s.recommend(&kindredv1.RecommendRequest{Subject: user("u")})
	reply := must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("u")}))
	if reply.Events != 2 || reply.Decisions != 1 || !reply.Profile || reply.WriteToken == "" {
		t.Errorf("receipt %v, want 2 events, 1 decision and the profile", reply)
	}
}
