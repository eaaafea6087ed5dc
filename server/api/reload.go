package api

import (
	"context"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/config"
)

// Reload reads the settings of the service again and applies what can change while it runs, or with dry only says what would.
// An error is a status, or one of settings, whose mistakes config.Mistakes tells apart: nothing has changed then.
type Reload func(ctx context.Context, dry bool) ([]config.Change, error)

// maxMistakes bounds the mistakes of settings that one reply tells.
const maxMistakes = 100

// ReloadConfiguration implements AdminService.
func (s *adminService) ReloadConfiguration(ctx context.Context, req *kindredv1.ReloadConfigurationRequest) (*kindredv1.ReloadConfigurationResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := operator(p); err != nil {
		return nil, err
	}
	if s.Reload == nil {
		return nil, status.Error(codes.FailedPrecondition, "this service has no settings to read again: it runs inside another program")
	}
	changes, err := s.Reload(ctx, req.DryRun)
	if err != nil {
		if _, ready := status.FromError(err); ready {
			return nil, err
		}
		return nil, mistaken(err)
	}
	resp := &kindredv1.ReloadConfigurationResponse{}
	for _, c := range changes {
		w := &kindredv1.SettingChange{Name: printable(c.Name), From: printable(c.From), To: printable(c.To)}
		if c.Reload {
			resp.Changed = append(resp.Changed, w)
		} else {
			resp.NeedsRestart = append(resp.NeedsRestart, w)
		}
	}
	return resp, nil
}

// mistaken tells the mistakes of settings.
func mistaken(err error) error {
	detail, mistakes := &errdetails.PreconditionFailure{}, config.Mistakes(err)
	for _, m := range mistakes[:min(len(mistakes), maxMistakes)] {
		detail.Violations = append(detail.Violations, &errdetails.PreconditionFailure_Violation{Type: "SETTING", Subject: "settings", Description: printable(m)})
	}
	return detailed(codes.FailedPrecondition, "the settings have mistakes, and nothing changed: "+detail.Violations[0].Description, detail)
}
