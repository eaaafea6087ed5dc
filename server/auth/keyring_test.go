package auth

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/server/record"
)

// memory keeps keys in a slice: what the disk holds is tested with the store.
type memory struct {
	keys []record.Key
	err  error
}

func (m *memory) PutKey(_ context.Context, k record.Key) error {
	if m.err != nil {
		return m.err
	}
	m.keys = slices.DeleteFunc(m.keys, func(o record.Key) bool { return o.ID == k.ID })
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) Keys(context.Context, string) ([]record.Key, error) { return m.keys, m.err }

func ring(t *testing.T, m *memory) *Keyring {
	t.Helper()
	r, err := Load(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeyWorksUntilRevokedAndSurvivesReload(t *testing.T) {
	m, ctx := &memory{}, context.Background()
	r := ring(t, m)
	key, secret, err := r.Create(ctx, record.Key{Tenant: "shop", Role: record.RoleFrontend, Name: "web"}, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := Principal{Tenant: "shop", Role: record.RoleFrontend, KeyID: key.ID}
	for _, r := range []*Keyring{r, ring(t, m)} {
		if p, err := r.Authenticate("Bearer " + secret); err != nil || !reflect.DeepEqual(p, want) {
			t.Fatalf("got %v, %v, want %v", p, err, want)
		}
	}
	if _, err := r.Revoke(ctx, key.ID, time.Unix(2, 0)); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Keyring{r, ring(t, m)} {
		if _, err := r.Authenticate("Bearer " + secret); !errors.Is(err, ErrBadKey) {
			t.Fatalf("revoked key: %v", err)
		}
	}
	again, err := r.Revoke(ctx, key.ID, time.Unix(3, 0))
	if err != nil || !again.Revoked.Equal(time.Unix(2, 0)) {
		t.Fatalf("second revocation moved the time: %v %v", again.Revoked, err)
	}
}

func TestStoredKeyDoesNotHoldTheSecret(t *testing.T) {
	m := &memory{}
	key, secret, err := ring(t, m).Create(context.Background(), record.Key{Tenant: "shop", Role: record.RoleAdmin}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	random := secret[strings.LastIndex(secret, "_")+1:]
	if strings.Contains(string(key.Hash[:])+key.ID+key.Name, random) {
		t.Fatal("the stored key holds the secret")
	}
}

func TestMalformedAndForeignKeysAreRefusedAlike(t *testing.T) {
	r := ring(t, &memory{})
	key, secret, err := r.Create(context.Background(), record.Key{Tenant: "shop", Role: record.RoleAdmin}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	flipped := secret[:len(secret)-1] + string('a'+(secret[len(secret)-1]-'a'+1)%2)
	if flipped == secret {
		flipped = secret[:len(secret)-1] + "z"
	}
	for _, header := range []string{
		secret, "Basic " + secret, "Bearer", "Bearer ", "Bearer " + key.ID, "Bearer " + flipped,
		"Bearer kd_aaaaaaaaaaaaaaaa_" + strings.Repeat("a", 52), "Bearer  " + secret,
	} {
		if _, err := r.Authenticate(header); !errors.Is(err, ErrBadKey) {
			t.Errorf("header of %d bytes: got %v, want ErrBadKey", len(header), err)
		}
	}
	if _, err := r.Authenticate(""); !errors.Is(err, ErrNoKey) {
		t.Errorf("no header: %v", err)
	}
}

func TestFailedWriteMakesNoKey(t *testing.T) {
	m := &memory{}
	r := ring(t, m)
	m.err = record.ErrDiskFull
	if _, _, err := r.Create(context.Background(), record.Key{Tenant: "shop", Role: record.RoleAdmin}, time.Now()); !errors.Is(err, record.ErrDiskFull) {
		t.Fatalf("got %v", err)
	}
	if len(r.List("")) != 0 || r.Active() != 0 {
		t.Fatal("a key that is not on disk is in force")
	}
}

func TestGateAdmitsByRole(t *testing.T) {
	r := ring(t, &memory{})
	secret := map[record.Role]string{}
	for _, role := range []record.Role{record.RoleFrontend, record.RoleMerchant, record.RoleAdmin} {
		_, s, err := r.Create(context.Background(), record.Key{Tenant: "shop", Role: role}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		secret[role] = s
	}
	gate := &Gate{Ring: r, Roles: map[string][]record.Role{"/s/Recommend": {record.RoleFrontend}}, Public: map[string]bool{"/s/Health": true}}
	cases := []struct {
		method, secret string
		want           codes.Code
	}{
		{"/s/Recommend", secret[record.RoleFrontend], codes.OK},
		{"/s/Recommend", secret[record.RoleMerchant], codes.PermissionDenied},
		{"/s/Recommend", secret[record.RoleAdmin], codes.OK},
		{"/s/Other", secret[record.RoleFrontend], codes.PermissionDenied}, // unnamed methods are for admins
		{"/s/Other", secret[record.RoleAdmin], codes.OK},
		{"/s/Recommend", "", codes.Unauthenticated},
		{"/s/Recommend", "kd_nonsense", codes.Unauthenticated},
		{"/s/Health", "", codes.OK},
	}
	for _, c := range cases {
		ctx := context.Background()
		if c.secret != "" {
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", "Bearer "+c.secret))
		}
		info := &grpc.UnaryServerInfo{FullMethod: c.method}
		_, err := gate.Unary(ctx, nil, info, func(ctx context.Context, req any) (any, error) {
			return gate.PermitUnary(ctx, req, info, func(ctx context.Context, _ any) (any, error) {
				if p, ok := From(ctx); ok && p.Tenant != "shop" {
					t.Errorf("%s: tenant %q", c.method, p.Tenant)
				}
				return nil, nil
			})
		})
		if status.Code(err) != c.want {
			t.Errorf("%s: got %v, want %v", c.method, err, c.want)
		}
	}
	gate.AllowOpen = true
	_, err := gate.Unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/s/Other"}, func(ctx context.Context, _ any) (any, error) {
		if p, _ := From(ctx); !reflect.DeepEqual(p, Open) {
			t.Errorf("got %v", p)
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
	bad := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer wrong"))
	if _, err := gate.Unary(bad, nil, &grpc.UnaryServerInfo{FullMethod: "/s/Other"}, nil); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a wrong key on an open server: %v", err)
	}
}
