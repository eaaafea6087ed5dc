package shop

import (
	"context"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/embed/bundle"
)

// ReceiveModel takes a bundle from a stream and returns it with those that had to go for
// it.
func (s *Shop) ReceiveModel(ctx context.Context, r io.Reader) (Model, []bundle.Hash, error) {
	if s.models == nil {
		return Model{}, nil, errNoModels
	}
	b, err := s.models.registry.Receive(r)
	if err != nil {
		return Model{}, nil, err
	}
	s.config.Log.Info("bundle received", "tenant", s.tenant, "bundle", string(b.Hash()))
	if s.models.target.Load().hash == b.Hash() {
		s.retryTarget() // it may have been damaged
	}
	removed, err := s.pruneModels(b.Hash())
	if err != nil {
		// The bundle is there; old ones stay a while longer.
		s.config.Log.Warn("old bundles not removed", "tenant", s.tenant, "error", err)
	}
	st := s.modelsStatus()
	return st.model(b.Hash(), b.Manifest(), nil), removed, ctx.Err()
}

// pruneModels removes old bundles; what is promoted, what serves, what a rollback goes to
// and those named stay.
func (s *Shop) pruneModels(keep ...bundle.Hash) ([]bundle.Hash, error) {
	back, _, err := s.rollbackTarget()
	if err != nil {
		return nil, err
	}
	st := s.modelsStatus()
	removed, err := s.models.registry.Prune(append(keep, st.Serving, st.Promoted, back)...)
	for _, h := range removed {
		s.config.Log.Info("old bundle removed", "tenant", s.tenant, "bundle", string(h))
	}
	return removed, err
}

// StreamModel writes the bundle whose hash begins with some digits as an archive.
func (s *Shop) StreamModel(digits string, w io.Writer) error {
	h, err := s.findModel(digits)
	if err != nil {
		return err
	}
	b, release, err := s.models.registry.Hold(h)
	if err != nil {
		return fmt.Errorf("model %s: %w", h.Short(), err)
	}
	defer release()
	return b.Stream(w)
}
