package api

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kindred-rec/kindred/embed/bundle"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// adminOnly are the methods that no other role may call, on purpose.
var adminOnly = map[string]bool{
	"/kindred.v1.AdminService/CreateTenant":        true,
	"/kindred.v1.AdminService/ListTenants":         true,
	"/kindred.v1.AdminService/UpdateTenant":        true,
	"/kindred.v1.AdminService/CreateKey":           true,
	"/kindred.v1.AdminService/ListKeys":            true,
	"/kindred.v1.AdminService/RevokeKey":           true,
	"/kindred.v1.AdminService/RotateKey":           true,
	"/kindred.v1.AdminService/ListAudit":           true,
	"/kindred.v1.AdminService/RefreshGeneration":   true,
	"/kindred.v1.AdminService/ReloadConfiguration": true,
}

// services returns the descriptors of all services of the wire contract.
func services() []protoreflect.ServiceDescriptor {
	var list []protoreflect.ServiceDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		kindredv1.File_kindred_v1_catalog_proto, kindredv1.File_kindred_v1_event_proto, kindredv1.File_kindred_v1_recommendation_proto,
		kindredv1.File_kindred_v1_profile_proto, kindredv1.File_kindred_v1_admin_proto, kindredv1.File_kindred_v1_models_proto,
		kindredv1.File_kindred_v1_policy_proto, kindredv1.File_kindred_v1_experiment_proto,
	} {
		for i := range file.Services().Len() {
			list = append(list, file.Services().Get(i))
		}
	}
	return list
}

func TestEveryMethodHasItsRoles(t *testing.T) {
	roles, methods := Roles(), map[string]bool{}
	for _, service := range services() {
		for i := range service.Methods().Len() {
			name := fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(i).Name())
			methods[name] = true
			if (len(roles[name]) > 0) == adminOnly[name] {
				t.Errorf("%s: roles %v, for admins alone %v: name its roles, or list it as for admins alone", name, roles[name], adminOnly[name])
			}
		}
	}
	for name := range roles {
		if !methods[name] {
			t.Errorf("%s has roles and does not exist", name)
		}
	}
	if len(methods) < 25 {
		t.Errorf("%d methods found", len(methods))
	}
}

// codesOf holds the code of every sentinel of the domain.
var codesOf = map[string]struct {
	err  error
	code codes.Code
}{
	"record.ErrNotFound":   {record.ErrNotFound, codes.NotFound},
	"record.ErrExists":     {record.ErrExists, codes.AlreadyExists},
	"record.ErrConflict":   {record.ErrConflict, codes.AlreadyExists},
	"record.ErrExpired":    {record.ErrExpired, codes.FailedPrecondition},
	"record.ErrInvalid":    {record.ErrInvalid, codes.InvalidArgument},
	"record.ErrLimit":      {record.ErrLimit, codes.ResourceExhausted},
	"record.ErrOverloaded": {record.ErrOverloaded, codes.ResourceExhausted},
	"record.ErrDiskFull":   {record.ErrDiskFull, codes.Unavailable},
	"record.ErrStopped":    {record.ErrStopped, codes.Unavailable},
	"record.ErrUnreadable": {record.ErrUnreadable, codes.Unavailable},
	"record.ErrClosed":     {record.ErrClosed, codes.Unavailable},
	"record.ErrCorrupt":    {record.ErrCorrupt, codes.DataLoss},
	"record.ErrHeld":       {record.ErrHeld, codes.Unavailable},
	"record.ErrNewer":      {record.ErrNewer, codes.Unavailable},
	"shop.ErrOverloaded":   {shop.ErrOverloaded, codes.ResourceExhausted},
	"shop.ErrPageToken":    {shop.ErrPageToken, codes.InvalidArgument},
	"shop.ErrNotReady":     {shop.ErrNotReady, codes.Unavailable},
	"shop.ErrUnfit":        {shop.ErrUnfit, codes.FailedPrecondition},
	"shop.ErrPrecondition": {shop.ErrPrecondition, codes.FailedPrecondition},
	"bundle.ErrNotFound":   {bundle.ErrNotFound, codes.NotFound},
	"bundle.ErrNewer":      {bundle.ErrNewer, codes.FailedPrecondition},
	"bundle.ErrLimit":      {bundle.ErrLimit, codes.ResourceExhausted},
	"bundle.ErrInvalid":    {bundle.ErrInvalid, codes.InvalidArgument},
	"bundle.ErrDiskFull":   {bundle.ErrDiskFull, codes.Unavailable},
	"bundle.ErrDamaged":    {bundle.ErrDamaged, codes.DataLoss},
	// The kinds of damage come with ErrDamaged.
	"bundle.ErrManifest": {damage(bundle.ErrManifest), codes.DataLoss},
	"bundle.ErrMissing":  {damage(bundle.ErrMissing), codes.DataLoss},
	"bundle.ErrUnlisted": {damage(bundle.ErrUnlisted), codes.DataLoss},
	"bundle.ErrSize":     {damage(bundle.ErrSize), codes.DataLoss},
	"bundle.ErrHash":     {damage(bundle.ErrHash), codes.DataLoss},
}

func damage(kind error) error { return errors.Join(bundle.ErrDamaged, kind) }

// sentinels returns the names of the exported errors that a package declares.
func sentinels(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, file.Name.Name+"."+name.Name)
					}
				}
			}
		}
	}
	return names
}

func TestEveryDomainErrorHasItsCode(t *testing.T) {
	s := &Server{Log: slog.New(slog.DiscardHandler)}
	names := append(sentinels(t, "../record"), sentinels(t, "../shop")...)
	names = append(names, sentinels(t, "../../embed/bundle")...)
	if len(names) != len(codesOf) {
		t.Errorf("%d sentinels in the sources, %d here", len(names), len(codesOf))
	}
	for _, name := range names {
		want, ok := codesOf[name]
		if !ok {
			t.Errorf("%s has no code here: give it one, here and in statusOf", name)
			continue
		}
		err := s.statusOf(context.Background(), fmt.Errorf("tenant %q: %w", "shop", want.err))
		if status.Code(err) != want.code {
			t.Errorf("%s becomes %v, want %v", name, err, want.code)
		}
	}
	for err, want := range map[error]codes.Code{
		context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded,
		&shop.InputError{Field: "limit", Description: "x"}: codes.InvalidArgument,
		errors.New("no one's"):                             codes.Internal,
		status.Error(codes.PermissionDenied, "no"):         codes.PermissionDenied,
	} {
		if got := s.statusOf(context.Background(), err); status.Code(got) != want {
			t.Errorf("%v becomes %v, want %v", err, got, want)
		}
	}
	if err := s.statusOf(context.Background(), errors.New("secret path")); strings.Contains(err.Error(), "secret") {
		t.Error("the text of an internal error reaches the caller")
	}
	for _, d := range status.Convert(s.statusOf(context.Background(), record.ErrOverloaded)).Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.RetryDelay.AsDuration() > 0 {
			return
		}
	}
	t.Error("an overload says nothing of when to retry")
}

// bijective checks that a table names every domain value and every wire value but
// the unspecified one and those excepted, each once.
func bijective[D comparable, W protoreflect.Enum](t *testing.T, name string, table map[D]W, domain []D, except ...protoreflect.EnumNumber) {
	t.Helper()
	seen := map[protoreflect.EnumNumber]bool{0: true}
	for _, n := range except {
		seen[n] = true
	}
	for _, d := range domain {
		w, ok := table[d]
		if !ok || w.Number() == 0 {
			t.Errorf("%s: %v has no wire value", name, d)
		} else if seen[w.Number()] {
			t.Errorf("%s: %v has the wire value of another", name, d)
		}
		seen[w.Number()] = true
	}
	if len(table) != len(domain) {
		t.Errorf("%s: the table has %d entries for %d domain values", name, len(table), len(domain))
	}
	var zero W
	values := zero.Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); !seen[v.Number()] {
			t.Errorf("%s: wire value %s has no domain value", name, v.Name())
		}
	}
}

func span[T ~uint8](from, to T) (list []T) {
	for v := from; v <= to; v++ {
		list = append(list, v)
	}
	return list
}

func inverse[W, D comparable](table map[W]D) map[D]W {
	out := map[D]W{}
	for w, d := range table {
		out[d] = w
	}
	return out
}

func TestWireValuesAndDomainValuesMeetOneToOne(t *testing.T) {
	bijective(t, "tier", wireTiers, span(ranker.Personalized, ranker.Popular))
	bijective(t, "source", wireSources, span(ranker.FromUserVector, ranker.FromPolicy), kindredv1.Source_SOURCE_TEXT.Number())
	bijective(t, "verdict", wireVerdicts, span(ranker.Shown, ranker.PushedByFatigue))
	bijective(t, "slot", slotWire, span(record.SlotScore, record.SlotReserved))
	bijective(t, "label", labelWire, span(record.LabelCategory, record.LabelSeller))
	bijective(t, "method", methodWire, span(record.NewByScore, record.NewByUCB))
	bijective(t, "status", statusWire, span(record.ExperimentDraft, record.ExperimentStopped))
	bijective(t, "assignment", assignmentWire, span(record.AssignedByHash, record.AssignedAnonymous))
	bijective(t, "seen", seenWire, []string{record.SeenKeep, record.SeenHidePurchased, record.SeenHideInteracted})
	bijective(t, "decision", decisionWire, span(record.DecisionRecommend, record.DecisionBulk))
	bijective(t, "reproduction", reproductionWire, span(shop.ReproducedSame, shop.ReproducedGone))
	bijective(t, "input", inputWire, span(shop.InputSame, shop.InputGone))
	bijective(t, "kind", inverse(domainKinds), span(record.KindString, record.KindTime))
	bijective(t, "role", inverse(roleNames), record.Roles)
	bijective(t, "event type", wireTypes, []string{
		record.TypeImpression, record.TypeView, record.TypeClick, record.TypeLike, record.TypeDislike, record.TypeAddToCart,
		record.TypePurchase, record.TypeRating, record.TypeComment, record.TypeSearch, record.TypeShare, record.TypeHide,
	})
	for past, table := range map[string]string{
		(ranker.Popular + 1).String(): "tier", (ranker.PushedByFatigue + 1).String(): "verdict", (ranker.FromPolicy + 1).String(): "source",
		(record.KindTime + 1).String(): "kind",
	} {
		if past != "unknown" {
			t.Errorf("%s: the domain has a further value %q that this test does not visit", table, past)
		}
	}
	r := &reading{}
	for n := range kindredv1.SeenPolicy_name {
		r.seen("seen_policy", kindredv1.SeenPolicy(n), shop.SeenDefault)
	}
	for n := range kindredv1.Clock_name {
		if _, faults := tenantFromWire(&kindredv1.Tenant{Clock: kindredv1.Clock(n)}); len(faults) > 0 {
			t.Errorf("clock %d: %v", n, faults)
		}
	}
	if len(r.faults) > 0 {
		t.Errorf("a seen policy of the contract is not known: %v", r.faults)
	}
}
