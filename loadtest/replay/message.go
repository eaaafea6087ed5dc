package replay

import (
	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/importer"
)

// eventMessage is an event as the wire has it. shownBy names the reply that showed its item, in the slot rank; empty: none
// did. Where the log itself names a surface or a reply, that stands.
func eventMessage(e dataset.Event, surface, shownBy string, rank int) *kindredv1.Event {
	m := importer.EventMessage(e)
	if m.Surface == "" {
		m.Surface = surface
	}
	if m.RecommendationId == "" {
		m.RecommendationId, m.Position = shownBy, int32(rank)
	}
	return m
}
