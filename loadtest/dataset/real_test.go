package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
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

// The splits are those that published and peer figures are made on. The sums were made once, by the Python protocol itself.
func TestSplitsOfPublishedLogsAreThoseOfTheProtocol(t *testing.T) {
	t.Run("amazon", func(t *testing.T) {
		s := realSplit(t, Amazon, "amazon-office")
		events, valid := 0, 0
		for _, seq := range s.Train {
			events += len(seq.Events)
		}
		for i, q := range s.Valid {
			valid += (i + 1) * int(q.Target)
		}
		if len(s.Valid) != 526 || valid != 195917500 || events != 16701 || len(s.Train) != 3231 || len(s.Items) != 3459 || !s.Repeats {
			t.Errorf("valid %d (sum %d), train %d with %d events, items %d, repeats %v", len(s.Valid), valid, len(s.Train), events, len(s.Items), s.Repeats)
		}
		if test := mustTest(t, s); len(test) != 4866 {
			t.Errorf("%d test rows", len(test))
		}
	})
	for _, c := range []struct {
		format      Format
		dir         string
		users       int
		test, valid int
	}{
		{S3Rec, "s3rec-beauty", 22363, 1306611258817, 1222418791061},
		{MovieLens, "movielens-small", 610, 4810591381, 4373831415},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			s := realSplit(t, c.format, c.dir)
			test := mustTest(t, s)
			if len(test) != c.users || len(s.Valid) != c.users || len(s.Train) != c.users || s.Unlisted != 0 || s.Repeats {
				t.Errorf("test %d, valid %d, train %d of %d users, %d items unlisted", len(test), len(s.Valid), len(s.Train), c.users, s.Unlisted)
			}
			if got := weighted(t, s, test); got != c.test {
				t.Errorf("test targets sum to %d, want %d", got, c.test)
			}
			if got := weighted(t, s, s.Valid); got != c.valid {
				t.Errorf("validation targets sum to %d, want %d", got, c.valid)
			}
		})
	}
}

func realSplit(t *testing.T, format Format, dir string) *Split {
	t.Helper()
	src, err := Open(format, realData(t, dir), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSplit(src, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// weighted sums user times target over the ids as numbers.
func weighted(t *testing.T, s *Split, queries []Query) (sum int) {
	t.Helper()
	for _, q := range queries {
		user, err1 := strconv.Atoi(q.User)
		item, err2 := strconv.Atoi(s.Items[q.Target].ID)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		sum += user * item
	}
	return sum
}
