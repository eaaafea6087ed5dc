package load

import (
	"strings"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// TierName is the short name of a rung, such as "personalized".
func TierName(t kindredv1.Tier) string {
	return strings.ToLower(strings.TrimPrefix(t.String(), "TIER_"))
}
