package replay

import (
	"fmt"
	"strings"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// The names of seen policies on a command line and in results.
var seenNames = map[kindredv1.SeenPolicy]string{
	kindredv1.SeenPolicy_SEEN_POLICY_UNSPECIFIED:     "surface",
	kindredv1.SeenPolicy_SEEN_POLICY_KEEP:            "keep",
	kindredv1.SeenPolicy_SEEN_POLICY_HIDE_PURCHASED:  "hide_purchased",
	kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED: "hide_interacted",
}

// SeenName is the short name of a policy; "surface" is the surface's own.
func SeenName(p kindredv1.SeenPolicy) string { return seenNames[p] }

// ParseSeen is the policy of a short name.
func ParseSeen(name string) (kindredv1.SeenPolicy, error) {
	for p, n := range seenNames {
		if n == strings.ToLower(name) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("replay: %w: seen policy %q: must be surface, keep, hide_purchased or hide_interacted", ErrOptions, name)
}
