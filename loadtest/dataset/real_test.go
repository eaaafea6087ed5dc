package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

// realData finds a published log beside the repository, and skips where it is not there.
func realData(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s is not here: %v", dir, err)
	}
	return dir
}

func TestPublishedLogsHaveTheirKnownCounts(t *testing.T) {
	for _, c := range []struct {
		format               Format
		dir                  string
		items, users, events int
		ratings, cases       int
	}{
		{Amazon, "amazon-office", 3459, 3231, 17227, 0, 4866},
		{S3Rec, "s3rec-beauty", 12101, 22363, 198502, 0, 0},
		{MovieLens, "movielens-small", 9742, 610, 100836 + 3683, 100836, 0},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			src, err := Open(c.format, realData(t, c.dir), Options{})
			if err != nil {
				t.Fatal(err)
			}
			items, events, ratings, cases := 0, 0, 0, 0
			users, ids := map[string]bool{}, map[string]bool{}
			for _, err := range src.Items() {
				if err != nil {
					t.Fatal(err)
				}
				items++
			}
			for e, err := range src.Events() {
				if err != nil {
					t.Fatal(err)
				}
				events++
				users[e.User], ids[e.ID] = true, true
				if e.Type == TypeRating {
					ratings++
				}
			}
			if tested, ok := src.(TestSource); ok {
				for _, err := range tested.Cases() {
					if err != nil {
						t.Fatal(err)
					}
					cases++
				}
			}
			if items != c.items || len(users) != c.users || events != c.events || ratings != c.ratings || cases != c.cases {
				t.Errorf("items %d users %d events %d ratings %d cases %d, want %+v", items, len(users), events, ratings, cases, c)
			}
			if len(ids) != events {
				t.Errorf("%d events have %d ids", events, len(ids))
			}
		})
	}
}
