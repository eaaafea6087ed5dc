package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/server/record"
)

func TestRotationKeepsTheSecretBeforeForTheOverlapAlone(t *testing.T) {
	m, ctx, at := &memory{}, context.Background(), time.Unix(1000, 0)
	r := ring(t, m)
	key, first, err := r.Create(ctx, record.Key{Tenant: "shop", Role: record.RoleFrontend}, at)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := r.Rotate(ctx, key.ID, time.Hour, at)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(now time.Time, secret string, want bool) {
		t.Helper()
		for _, r := range []*Keyring{r, ring(t, m)} {
			r.now = func() time.Time { return now }
			if _, err := r.Authenticate("Bearer " + secret); (err == nil) != want {
				t.Errorf("at %v: %v, want valid %v", now.Sub(at), err, want)
			}
		}
	}
	valid(at.Add(59*time.Minute), first, true)
	valid(at.Add(59*time.Minute), second, true)
	valid(at.Add(time.Hour), first, false)
	valid(at.Add(time.Hour), second, true)
	// A third: the first ends at once although its overlap is not over.
	rotated, third, err := r.Rotate(ctx, key.ID, time.Minute, at)
	if err != nil || rotated.ID != key.ID || rotated.Tenant != "shop" || !rotated.Rotated.Equal(at) {
		t.Fatalf("%v %v", rotated, err)
	}
	valid(at, first, false)
	valid(at, second, true)
	valid(at, third, true)
	_, fourth, err := r.Rotate(ctx, key.ID, 0, at)
	if err != nil {
		t.Fatal(err)
	}
	valid(at, third, false)
	valid(at, fourth, true)
	if _, _, err := r.Rotate(ctx, key.ID, time.Hour, at); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Revoke(ctx, key.ID, at); err != nil {
		t.Fatal(err)
	}
	valid(at, fourth, false) // revoking ends the overlap too
	for _, c := range []struct {
		id      string
		overlap time.Duration
		want    error
	}{{key.ID, 0, record.ErrInvalid}, {"unknown", 0, record.ErrNotFound}, {key.ID, -1, record.ErrInvalid}, {key.ID, MaxOverlap + 1, record.ErrInvalid}} {
		if _, _, err := r.Rotate(ctx, c.id, c.overlap, at); !errors.Is(err, c.want) {
			t.Errorf("%s for %v: %v, want %v", c.id, c.overlap, err, c.want)
		}
	}
}

func TestFailedRotationLeavesTheSecret(t *testing.T) {
	m := &memory{}
	r := ring(t, m)
	key, secret, err := r.Create(context.Background(), record.Key{Tenant: "shop", Role: record.RoleAdmin}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.err = record.ErrDiskFull
	if _, _, err := r.Rotate(context.Background(), key.ID, 0, time.Now()); !errors.Is(err, record.ErrDiskFull) {
		t.Fatal(err)
	}
	if _, err := r.Authenticate("Bearer " + secret); err != nil {
		t.Error(err)
	}
}

func TestDraftsOfKeysAreChecked(t *testing.T) {
	for _, c := range []struct {
		draft record.Key
		field string // "": it is taken
	}{
		{record.Key{Role: record.RoleFrontend}, ""},
		{record.Key{Role: record.RoleBrowser, Origins: []string{"https://shop.example", "http://localhost:3000"}}, ""},
		{record.Key{Role: "owner"}, "role"},
		{record.Key{Role: record.RoleAdmin, Name: strings.Repeat("n", 129)}, "name"},
		{record.Key{Role: record.RoleBrowser}, "origins"},
		{record.Key{Role: record.RoleFrontend, Origins: []string{"https://shop.example"}}, "origins"},
		{record.Key{Role: record.RoleBrowser, Origins: make([]string, 17)}, "origins"},
		{record.Key{Role: record.RoleBrowser, Origins: []string{"https://shop.example/"}}, "origins[0]"},
		{record.Key{Role: record.RoleBrowser, Origins: []string{"https://a.example", "*"}}, "origins[1]"},
		{record.Key{Role: record.RoleBrowser, Origins: []string{"null"}}, "origins[0]"},
		{record.Key{Role: record.RoleAdmin, Quota: record.Quota{Requests: -1}}, "quota.requests"},
		{record.Key{Role: record.RoleAdmin, Quota: record.Quota{Bytes: 1e-9}}, "quota.bytes"},
	} {
		faults := Check(c.draft)
		if c.field == "" && len(faults) > 0 || c.field != "" && (len(faults) == 0 || faults[0].Field != c.field) {
			t.Errorf("%+v: faults %v, want of %q", c.draft, faults, c.field)
		}
	}
}

func TestBrowserKeyIsBoundToItsOrigins(t *testing.T) {
	r := ring(t, &memory{})
	_, secret, err := r.Create(context.Background(), record.Key{Tenant: "shop", Role: record.RoleBrowser, Origins: []string{"https://shop.example"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gate := &Gate{Ring: r}
	for _, c := range []struct {
		origins []string
		want    codes.Code
	}{
		{[]string{"https://shop.example"}, codes.OK},
		{nil, codes.PermissionDenied},
		{[]string{"https://evil.example"}, codes.PermissionDenied},
		{[]string{"https://shop.example.evil.example"}, codes.PermissionDenied},
		{[]string{"https://shop.example", "https://evil.example"}, codes.PermissionDenied},
	} {
		md := metadata.MD{"authorization": {"Bearer " + secret}, "origin": c.origins}
		if _, err := gate.admit(metadata.NewIncomingContext(context.Background(), md), "/s/m"); status.Code(err) != c.want {
			t.Errorf("origins %q: %v, want %v", c.origins, err, c.want)
		}
	}
}
