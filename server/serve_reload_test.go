package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

func TestOperatorReloadsSettingsOverTheWire(t *testing.T) {
	path := settingsFile(t, "ranking-age: 1s\n")
	var log book
	s := startKindred(t, &log, "--config", path)
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	admin := kindredv1.NewAdminServiceClient(conn)
	rewrite := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload := func(dry bool) *kindredv1.ReloadConfigurationResponse {
		t.Helper()
		reply, err := admin.ReloadConfiguration(t.Context(), &kindredv1.ReloadConfigurationRequest{DryRun: dry})
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	told := func(reply *kindredv1.ReloadConfigurationResponse) string {
		var out bytes.Buffer
		if err := writeReloaded(&out, reply, false); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := told(reload(false)); got != "the settings are as they were\n" {
		t.Errorf("nothing changed, and it says %q", got)
	}
	rewrite("ranking-age: 0s\npermits: 7\n")
	want := "changed: ranking-age from \"1s\" to \"0s\"\nneeds a restart: permits from \"0\" to \"7\"\n"
	for _, dry := range []bool{true, true, false} { // a dry run leaves all to be done
		if got := told(reload(dry)); got != want {
			t.Errorf("dry run %v: %q, want %q", dry, got, want)
		}
	}
	if got := told(reload(false)); got != "the settings are as they were\n" {
		t.Errorf("read again: %q", got)
	}

	rewrite("ranking-age: 5m\nrankingage: 3s\n")
	_, err = admin.ReloadConfiguration(t.Context(), &kindredv1.ReloadConfigurationRequest{})
	if status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("settings with mistakes: %v", err)
	}
	var mistakes []string
	for _, d := range status.Convert(err).Details() {
		if p, ok := d.(*errdetails.PreconditionFailure); ok {
			for _, v := range p.Violations {
				mistakes = append(mistakes, v.Description)
			}
		}
	}
	if len(mistakes) != 2 || !strings.Contains(mistakes[0]+mistakes[1], "give 0s to 1m") || !strings.Contains(mistakes[0]+mistakes[1], "did you mean ranking-age?") {
		t.Errorf("mistakes: %q", mistakes)
	}

	// The keys that are made now are checked; those of others may not, and what they tried is in the audit log.
	if _, err := admin.CreateTenant(t.Context(), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "other"}}); err != nil {
		t.Fatal(err)
	}
	for tenant, role := range map[string]kindredv1.Role{"": kindredv1.Role_ROLE_SCIENTIST, "other": kindredv1.Role_ROLE_ADMIN} {
		key, err := admin.CreateKey(t.Context(), &kindredv1.CreateKeyRequest{Tenant: tenant, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+key.Secret)
		if _, err := admin.ReloadConfiguration(ctx, &kindredv1.ReloadConfigurationRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a key of tenant %q and role %v: %v", tenant, role, err)
		}
	}
	audit, err := admin.ListAudit(t.Context(), &kindredv1.ListAuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range audit.Entries {
		if strings.HasSuffix(e.Method, "/ReloadConfiguration") {
			seen[e.Code+", "+e.Target]++
		}
	}
	if seen["OK, settings"] != 3 || seen["OK, dry run of the settings"] != 2 || seen["FailedPrecondition, settings"] != 1 || seen["PermissionDenied, settings"] != 1 {
		t.Errorf("the audit log has %v", seen)
	}
}

func TestBoundsOfTheFlagsAreTheContractsAndReachTheService(t *testing.T) {
	usual := mustSettings(t).serviceConfig(nil, nil, nil, schedule.Config{})
	if usual.Bounds != api.Contract() {
		t.Errorf("the defaults of the flags are %+v, the contract's %+v", usual.Bounds, api.Contract())
	}
	c := mustSettings(t, "--max-rows", "7", "--max-string", "9B", "--key-calls", "5", "--max-connection-idle", "2m", "--read-timeout", "3s").serviceConfig(nil, nil, nil, schedule.Config{})
	if c.Bounds.Rows != 7 || c.Bounds.String != 9 || c.Quotas.KeyCalls != 5 || c.Keepalive.Idle != 2*time.Minute || c.ReadTimeout != 3*time.Second {
		t.Errorf("the service has %+v, %+v, %v, %d", c.Bounds, c.Keepalive, c.ReadTimeout, c.Quotas.KeyCalls)
	}
	if _, err := settings(t, "--max-rows", "1001"); err == nil || !strings.Contains(err.Error(), "max-rows is 1001: give 1 to 1000") {
		t.Errorf("above the contract: %v", err)
	}
}
