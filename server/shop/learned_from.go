package shop

import (
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/record"
)

// LearnedFrom returns the hashes of the models that are kept and may have learned from an
// erased person, the newest first: those whose data reach over one of the events. A model
// of the log says up to which place it was trained; one of files says between which times.
// A model whose manifest cannot be read is among them: nothing says that it has not.
func (s *Shop) LearnedFrom(r record.Receipt) (hashes []string, err error) {
	if s.models == nil || r.Events == 0 {
		return nil, nil
	}
	list, err := s.models.registry.List()
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.Err != nil || learnedFrom(&e.Manifest.Data, &r) {
			hashes = append(hashes, string(e.Hash))
		}
	}
	return hashes, nil
}

func learnedFrom(d *bundle.DataRange, r *record.Receipt) bool {
	if d.LogHead > 0 {
		return r.FirstPlace <= d.LogHead
	}
	if d.First.IsZero() || d.Last.IsZero() || r.First.IsZero() {
		return d.Events > 0 || d.Users > 0
	}
	// Times of a manifest are to the second.
	return !r.Last.Before(d.First) && !r.First.After(d.Last.Add(time.Second))
}
