package auth

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/server/record"
)

const (
	maxOrigins = 16
	maxOrigin  = 253
)

// Check returns what is wrong with the draft of a key, by field.
func Check(draft record.Key) []record.Violation {
	var faults []record.Violation
	add := func(field, format string, args ...any) {
		faults = append(faults, record.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains(record.Roles, draft.Role) {
		add("role", "%q is no role: use one of %v", draft.Role, record.Roles)
	}
	if len(draft.Name) > record.MaxID || !utf8.ValidString(draft.Name) {
		add("name", "is %d bytes, at most %d of valid UTF-8 are taken", len(draft.Name), record.MaxID)
	}
	switch browser := draft.Role == record.RoleBrowser; {
	case browser && len(draft.Origins) == 0:
		add("origins", "are missing: a key of role browser names the web origins it is used from, such as https://shop.example")
	case !browser && len(draft.Origins) > 0:
		add("origins", "are for keys of role browser alone, this one is of role %q", draft.Role)
	case len(draft.Origins) > maxOrigins:
		add("origins", "are %d, at most %d are taken", len(draft.Origins), maxOrigins)
	}
	for i, origin := range draft.Origins {
		if why := CheckOrigin(origin); why != "" {
			add(fmt.Sprintf("origins[%d]", i), "%s", why)
		}
	}
	for _, q := range []struct {
		name string
		rate float64
	}{{"requests", draft.Quota.Requests}, {"events", draft.Quota.Events}, {"bytes", draft.Quota.Bytes}} {
		if q.rate < 0 || math.IsNaN(q.rate) || math.IsInf(q.rate, 0) || q.rate > 0 && q.rate < minRate {
			add("quota."+q.name, "%v a second is no bound: give %v or more, or 0 for the service's own", q.rate, minRate)
		}
	}
	return faults
}

// minRate is the smallest bound a second.
const minRate = 0.001

// CheckOrigin says what is wrong with a web origin, scheme://host[:port] as browsers send it;
// "" if nothing is.
func CheckOrigin(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case len(origin) > maxOrigin:
		return fmt.Sprintf("is %d bytes, at most %d are taken", len(origin), maxOrigin)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || origin != u.Scheme+"://"+u.Host:
		return fmt.Sprintf("%.80q is no web origin: give scheme://host or scheme://host:port, such as https://shop.example, without a path", origin)
	}
	return ""
}
