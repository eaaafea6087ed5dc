package load

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Kind is one sort of call that the generator makes.
type Kind uint8

// The sorts of calls.
const (
	KindRecommend Kind = iota // ten items for a user
	KindEvent                 // WriteEvents with one event
	KindSimilar               // SimilarItems of an item
	KindSearch                // SearchItems by words of a title
	KindRank                  // RankItems over fifty items
	KindPatch                 // PatchItems: a new stock for one item
	KindAdd                   // UpsertItems: one new item, which stays in the catalog
	KindEmpty                 // Health/Check, which does nothing
	kinds                     // how many there are
)

var kindNames = [kinds]string{"recommend", "event", "similar", "search", "rank", "patch", "add", "empty"}

// String is the name that a mix uses.
func (k Kind) String() string {
	if k >= kinds {
		return "invalid"
	}
	return kindNames[k]
}

// needsItems says whether calls of this sort name items of the catalog.
func (k Kind) needsItems() bool { return k != KindRecommend && k != KindEmpty }

// Mix is the share of each sort of call, by Kind. Shares are at least 0 and add up to 1.
type Mix [kinds]float64

// ParseMix reads "recommend=80,event=20". The numbers are weights: only their proportions count.
func ParseMix(text string) (Mix, error) {
	var m Mix
	total := 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, weight, ok := strings.Cut(strings.TrimSpace(part), "=")
		kind, known := kindByName(name)
		if !ok || !known {
			return Mix{}, fmt.Errorf("load: mix %q: %q is not kind=weight with a kind of %s",
				text, part, strings.Join(kindNames[:], ", "))
		}
		w, err := strconv.ParseFloat(weight, 64)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return Mix{}, fmt.Errorf("load: mix %q: weight %q of %s must be a number of at least 0", text, weight, name)
		}
		if m[kind] != 0 {
			return Mix{}, fmt.Errorf("load: mix %q: %s stands twice", text, name)
		}
		m[kind] = w
		total += w
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return Mix{}, fmt.Errorf("load: mix %q: weights add up to %v; at least one must be above 0", text, total)
	}
	for k := range m {
		m[k] /= total
	}
	return m, nil
}

func kindByName(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// String writes the shares in percent, as "recommend=80,event=20".
func (m Mix) String() string {
	var parts []string
	for k, share := range m {
		if share > 0 {
			parts = append(parts, kindNames[k]+"="+strconv.FormatFloat(math.Round(share*1e6)/1e4, 'g', -1, 64))
		}
	}
	return strings.Join(parts, ",")
}

// needsItems says whether some call of the mix names items of the catalog.
func (m Mix) needsItems() bool {
	for k, share := range m {
		if share > 0 && Kind(k).needsItems() {
			return true
		}
	}
	return false
}

// pick draws a sort of call.
func (m Mix) pick(random *rand.Rand) Kind {
	at := random.Float64()
	last := KindRecommend
	for k, share := range m {
		if share == 0 {
			continue
		}
		last = Kind(k)
		if at < share {
			return last
		}
		at -= share
	}
	return last // rounding: the shares may add up to a little under 1
}
