package service_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// acts lists the audit log that a caller sees, the newest first.
func (c *client) acts() []*kindredv1.AuditEntry {
	c.t.Helper()
	reply, err := c.admin.ListAudit(ctx(c.t), &kindredv1.ListAuditRequest{Limit: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply.Entries
}

func TestAdministrativeActsAreInTheAuditLogWithTheirOutcome(t *testing.T) {
	s := start(t)
	op := s.operate()
	admin := s.tenant(op, "alpha", kindredv1.Role_ROLE_ADMIN)
	frontend := s.tenant(op, "alpha", kindredv1.Role_ROLE_FRONTEND)
	admin.upsert(shelf()...)
	frontend.applied(frontend.write(view("1", "ann", "pen-1")).WriteToken)

	key := must(admin.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_MERCHANT, Name: "feed"})).Key
	_, err := frontend.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: key.Id})
	code(t, err, codes.PermissionDenied)
	must(admin.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: key.Id}))
	_, err = admin.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: "unknown"})
	code(t, err, codes.NotFound)
	must(frontend.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("ann")}))
	admin.exported()
	stream, err := frontend.admin.ExportEvents(ctx(t), &kindredv1.ExportEventsRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	code(t, err, codes.PermissionDenied)
	keys := must(admin.admin.ListKeys(ctx(t), &kindredv1.ListKeysRequest{})).Keys
	handle := map[kindredv1.Role]string{}
	for _, k := range keys {
		handle[k.Role] = k.Id
	}

	check := func(acts []*kindredv1.AuditEntry) {
		t.Helper()
		want := []struct {
			role                 kindredv1.Role
			method, target, code string
		}{
			{kindredv1.Role_ROLE_FRONTEND, "AdminService/ExportEvents", "", "PermissionDenied"},
			{kindredv1.Role_ROLE_ADMIN, "AdminService/ExportEvents", "", "OK"},
			{kindredv1.Role_ROLE_FRONTEND, "ProfileService/EraseProfile", "", "OK"},
			{kindredv1.Role_ROLE_ADMIN, "AdminService/RevokeKey", "key unknown", "NotFound"},
			{kindredv1.Role_ROLE_ADMIN, "AdminService/RevokeKey", "key " + key.Id, "OK"},
			{kindredv1.Role_ROLE_FRONTEND, "AdminService/RevokeKey", "key " + key.Id, "PermissionDenied"},
			{kindredv1.Role_ROLE_ADMIN, "AdminService/CreateKey", `key "feed" of role merchant, tenant of the caller`, "OK"},
		}
		if len(acts) != len(want) {
			t.Fatalf("%d acts, want %d: %v", len(acts), len(want), acts)
		}
		for i, w := range want {
			a := acts[i]
			if a.Role != w.role || a.KeyId != handle[w.role] || a.Method != "/kindred.v1."+w.method || a.Target != w.target || a.Code != w.code {
				t.Errorf("act %d is %v, want %v", i, a, w)
			}
			if a.Tenant != "alpha" || a.Peer == "" || time.Since(a.Time.AsTime()) > time.Minute {
				t.Errorf("act %d: %v", i, a)
			}
			if strings.Contains(a.String(), "ann") {
				t.Errorf("act %d names a user: %v", i, a)
			}
		}
	}
	check(admin.acts())
	_, err = admin.admin.ListAudit(ctx(t), &kindredv1.ListAuditRequest{Tenant: "default"})
	code(t, err, codes.PermissionDenied)
	s.restart()
	check(must(s.as(op).admin.ListAudit(ctx(t), &kindredv1.ListAuditRequest{Tenant: "alpha"})).Entries)
}

func TestActThatCannotBeWrittenIsNotDone(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Log = slog.New(slog.DiscardHandler) })
	path := filepath.Join(service.AuditDir(s.config.Data), "default.jsonl")
	if err := os.Mkdir(path, 0o700); err != nil { // in the file's place
		t.Fatal(err)
	}
	_, err := s.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_ADMIN})
	code(t, err, codes.Unavailable)
	if keys := must(s.admin.ListKeys(ctx(t), &kindredv1.ListKeysRequest{})).Keys; len(keys) != 0 {
		t.Errorf("a key was made: %v", keys)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	must(s.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_ADMIN}))
}

func TestKeyIsRotatedWithAnOverlap(t *testing.T) {
	s := start(t)
	op := s.operate()
	made := must(op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_FRONTEND}))
	next := must(op.admin.RotateKey(ctx(t), &kindredv1.RotateKeyRequest{Id: made.Key.Id, Overlap: durationpb.New(time.Hour)}))
	if next.Key.Id != made.Key.Id || next.Key.RotateTime == nil || next.Key.PriorSecretUntil == nil || next.Secret == made.Secret {
		t.Errorf("rotated: %v", next.Key)
	}
	may := func(secret string, want codes.Code) {
		t.Helper()
		_, err := dial(t, s.service.Addr(), secret).Recommend(ctx(t), &kindredv1.RecommendRequest{})
		code(t, err, want)
	}
	may(made.Secret, codes.OK)
	may(next.Secret, codes.OK)
	last := must(op.admin.RotateKey(ctx(t), &kindredv1.RotateKeyRequest{Id: made.Key.Id})) // overlap 0
	may(made.Secret, codes.Unauthenticated)
	may(next.Secret, codes.Unauthenticated)
	may(last.Secret, codes.OK)
	_, err := op.admin.RotateKey(ctx(t), &kindredv1.RotateKeyRequest{Id: made.Key.Id, Overlap: durationpb.New(91 * 24 * time.Hour)})
	refused(t, err, "overlap")
	other := s.tenant(op, "beta", kindredv1.Role_ROLE_ADMIN)
	_, err = other.admin.RotateKey(ctx(t), &kindredv1.RotateKeyRequest{Id: made.Key.Id})
	code(t, err, codes.NotFound)
	may(last.Secret, codes.OK)
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestSecretsStandNowhere(t *testing.T) {
	log := &lockedBuffer{}
	s := start(t, func(c *service.Config) {
		c.HTTP = "127.0.0.1:0"
		c.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	made := must(s.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_ADMIN, Name: "operator"}))
	s.restart()
	op := dial(t, s.service.Addr(), made.Secret)
	secrets := []string{made.Secret}
	texts := []string{}
	note := func(err error) {
		if err == nil {
			t.Error("a call that should fail works")
			return
		}
		texts = append(texts, err.Error())
	}
	again := must(op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_FRONTEND, Name: "web"}))
	next := must(op.admin.RotateKey(ctx(t), &kindredv1.RotateKeyRequest{Id: again.Key.Id, Overlap: durationpb.New(time.Hour)}))
	secrets = append(secrets, again.Secret, next.Secret)
	web := dial(t, s.service.Addr(), next.Secret)
	_, err := web.admin.ListTenants(ctx(t), &kindredv1.ListTenantsRequest{})
	note(err)
	_, err = web.Recommend(ctx(t), &kindredv1.RecommendRequest{Filter: "nonsense =="})
	note(err)
	_, err = dial(t, s.service.Addr(), made.Secret[:len(made.Secret)-4]+"aaaa").Recommend(ctx(t), &kindredv1.RecommendRequest{})
	note(err)
	// Somebody gives a secret where its handle is asked for: that is in the call, and may not
	// go on from there.
	_, err = op.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: again.Secret})
	if err == nil {
		t.Error("a key is revoked by its secret")
	}
	if _, err := op.Recommend(ctx(t), &kindredv1.RecommendRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, a := range op.acts() {
		texts = append(texts, a.String())
	}
	resp, err := http.Get("http://" + s.service.HTTPAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !bytes.Contains(metrics, []byte("kindred_rpc_total")) {
		t.Fatalf("metrics: %v", err)
	}
	if bytes.Contains(metrics, []byte(again.Key.Id)) {
		t.Error("metrics name a key")
	}
	must(op.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: again.Key.Id}))
	s.stop()
	texts = append(texts, string(metrics), log.String())
	files := 0
	err = filepath.WalkDir(s.config.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		texts = append(texts, string(raw))
		files++
		return err
	})
	if err != nil || files < 3 {
		t.Fatalf("%d files: %v", files, err)
	}
	for _, text := range texts {
		for _, secret := range secrets {
			if random := secret[strings.LastIndex(secret, "_")+1:]; strings.Contains(text, random) {
				t.Errorf("a secret stands in %.200q", text)
			}
		}
	}
}
