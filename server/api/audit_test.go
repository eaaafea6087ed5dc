package api

import (
	"fmt"
	"strings"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// readsAlone are the methods of administrators that tell and change nothing, or whose calls
// are data of their own log.
var readsAlone = map[string]bool{
	"/kindred.v1.AdminService/ListTenants": true, "/kindred.v1.AdminService/ListKeys": true, "/kindred.v1.AdminService/ListAudit": true,
}

func TestEveryActOfAdministratorsIsAudited(t *testing.T) {
	names, exists := Audited(), map[string]bool{}
	for _, service := range append(services(), kindredv1.File_kindred_v1_operations_proto.Services().Get(0)) {
		for i := range service.Methods().Len() {
			exists[fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(i).Name())] = true
		}
	}
	for name := range names {
		if !exists[name] {
			t.Errorf("%s is audited and does not exist", name)
		}
	}
	for name := range adminOnly {
		if names[name] == readsAlone[name] && !strings.Contains(name, "/Get") {
			t.Errorf("%s: audited %v, reads alone %v: list it as one of them", name, names[name], readsAlone[name])
		}
	}
}

func TestTargetsNameNoUsers(t *testing.T) {
	for _, req := range []any{
		&kindredv1.EraseProfileRequest{Subject: &kindredv1.Subject{UserId: "ann", SessionId: "ann"}},
		&kindredv1.ExportProfileRequest{Subject: &kindredv1.Subject{UserId: "ann", SessionId: "ann"}},
	} {
		if target := targetOf(req); strings.Contains(target, "ann") {
			t.Errorf("%T: %q", req, target)
		}
	}
	if got := targetOf(&kindredv1.PromoteModelRequest{Hash: "abc", Force: true}); got != "model abc, by force" {
		t.Errorf("%q", got)
	}
}
