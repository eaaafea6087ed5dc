package importer

import (
	"fmt"
	"slices"
	"strings"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// bookReplacement takes over what the service tells of a replacement beside its counts.
func (t *transfer) bookReplacement(reply *kindredv1.ImportItemsResponse) {
	it := &t.sum.Items
	it.AddedSample, it.ChangedSample, it.RemovedSample = reply.GetAddedSample(), reply.GetChangedSample(), reply.GetRemovedSample()
	it.Refusal = reply.GetRefusal()
	in := reply.GetImpact()
	if in == nil {
		return
	}
	it.Impact = &Impact{
		Users: in.GetUsers(), ChangedShare: in.GetChangedShare(), LeavingMean: in.GetLeavingMean(),
		Leaving: listsOf(in.GetLeaving()), Entering: listsOf(in.GetEntering()),
	}
}

func listsOf(items []*kindredv1.ImpactItem) map[string]int32 {
	lists := make(map[string]int32, len(items))
	for _, x := range items {
		lists[x.GetItemId()] = x.GetLists()
	}
	return lists
}

// writeReplacement says what is added, changed and removed, and what users will notice.
func (c *ItemCounts) writeReplacement(b *strings.Builder) {
	for _, kind := range []struct {
		name string
		n    int64
		ids  []string
	}{{"added", c.Added, c.AddedSample}, {"changed", c.Changed, c.ChangedSample}, {"removed", c.Removed, c.RemovedSample}} {
		if len(kind.ids) > 0 {
			fmt.Fprintf(b, "%s: %s%s\n", kind.name, strings.Join(kind.ids, ", "), more(kind.n-int64(len(kind.ids))))
		}
	}
	if in := c.Impact; in != nil {
		fmt.Fprintf(b, "impact: of %s, the first ten items change for %.0f%%; %.1f of the ten leave on average\n",
			count(int64(in.Users), "user"), 100*in.ChangedShare, in.LeavingMean)
		writeLists(b, "leaving", in.Leaving)
		writeLists(b, "entering", in.Entering)
	}
	if c.Refusal != "" {
		writeNote(b, "this replacement would be refused: "+c.Refusal)
	}
}

func more(n int64) string {
	if n <= 0 {
		return ""
	}
	return " and " + grouped(n) + " more"
}

// writeLists names the items in most lists.
func writeLists(b *strings.Builder, name string, lists map[string]int32) {
	if len(lists) == 0 {
		return
	}
	ids := make([]string, 0, len(lists))
	for id := range lists {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int {
		if lists[x] != lists[y] {
			return int(lists[y] - lists[x])
		}
		return strings.Compare(x, y)
	})
	for i, id := range ids {
		ids[i] = fmt.Sprintf("%s (%s)", id, count(int64(lists[id]), "list"))
	}
	fmt.Fprintf(b, "  %s: %s\n", name, strings.Join(ids, ", "))
}
