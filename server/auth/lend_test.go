package auth

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

func TestALentKeyWorksUntilItsEndAndIsNowhereKept(t *testing.T) {
	m := &memory{}
	r := ring(t, m)
	secret, end := r.Lend("shop", record.RoleScientist, "training")
	want := Principal{Tenant: "shop", Role: record.RoleScientist, KeyID: "training"}
	if p, err := r.Authenticate("Bearer " + secret); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got %v, %v, want %v", p, err, want)
	}
	if len(m.keys) != 0 || len(r.List("")) != 0 || r.Active() != 0 {
		t.Error("a lent key is kept or listed")
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(secret, "kd_"), "_")
	if _, err := r.Authenticate("Bearer kd_" + id + "_" + strings.Repeat("a", 52)); !errors.Is(err, ErrBadKey) {
		t.Errorf("its handle with another secret: %v", err)
	}
	if _, err := r.Revoke(context.Background(), id, time.Now()); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("revoking it: %v", err)
	}
	end()
	if _, err := r.Authenticate("Bearer " + secret); !errors.Is(err, ErrBadKey) {
		t.Errorf("after its end: %v", err)
	}
	if _, err := ring(t, m).Authenticate("Bearer " + secret); !errors.Is(err, ErrBadKey) {
		t.Errorf("after a restart: %v", err)
	}
}
