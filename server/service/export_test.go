package service

import (
	"context"

	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

// KeptVectors counts the vectors that the default tenant's store keeps.
func (s *Service) KeptVectors(ctx context.Context) (n int, err error) {
	t, err := s.store.Tenant(auth.DefaultTenant)
	if err != nil {
		return 0, err
	}
	_, _, err = t.SweepVectors(ctx, nil, 1<<20, func(record.ModelHash, record.TextHash) bool { n++; return false })
	return n, err
}
