package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// write puts files into a new directory: name, content, name, content.
func write(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustOpen(t testing.TB, format Format, path string, opts Options) Source {
	t.Helper()
	src, err := Open(format, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// good reads the events and passes over row errors.
func good(t testing.TB, src Source) (events []Event) {
	t.Helper()
	for e, err := range src.Events() {
		var rowErr *RowError
		if errors.As(err, &rowErr) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func idsOf(events []Event) map[string]Event {
	ids := map[string]Event{}
	for _, e := range events {
		ids[e.ID] = e
	}
	return ids
}

// What was imported keeps its id when broken rows are mended and new ones are added: a second import adds what is new and
// nothing else.
func TestSecondImportAddsOnlyWhatIsNew(t *testing.T) {
	for _, c := range []struct {
		format      Format
		name        string
		other       []string
		first, then string
		added       int
	}{
		{S3Rec, "sequences.txt", []string{"item_attributes.json", "{}"}, "1 10 10 20\n2\n3 10\n", "1 10 10 20 30\n2 10 20\n3 10\n", 3},
		{Amazon, "train.jsonl", []string{"items.jsonl", "", "test.jsonl", ""},
			`{"user_id":"u","items":["a","a"]}` + "\n{\n" + `{"user_id":"w","items":["a"]}`,
			`{"user_id":"u","items":["a","a"]}` + "\n" + `{"user_id":"v","items":["b"]}` + "\n" + `{"user_id":"w","items":["a","b"]}`, 2},
		{CSV, "events.csv", nil, "user,item,type\nu,a,view\nu,,view\nu,a,view\n", "user,item,type\nu,a,view\nu,b,view\nu,a,view\nu,a,view\n", 2},
		{CSV, "events.csv", nil, "user,item,type,time\nu,a,view,5\nu,a,view,5\nu,a,view,x\nv,a,view,6\n",
			"user,item,type,time\nu,a,view,5\nu,a,view,5\nu,a,view,5\nv,a,view,6\nv,a,view,7\n", 2},
		{MovieLens, "ratings.csv", []string{"movies.csv", "movieId,title,genres\n"},
			"userId,movieId,rating,timestamp\n1,1,4,100\n1,2,x,90\n1,1,4,100\n", "userId,movieId,rating,timestamp\n1,1,4,100\n1,2,3,90\n1,1,4,100\n", 1},
	} {
		first := good(t, mustOpen(t, c.format, write(t, append(c.other, c.name, c.first)...), Options{}))
		then := good(t, mustOpen(t, c.format, write(t, append(c.other, c.name, c.then)...), Options{}))
		before, after := idsOf(first), idsOf(then)
		if len(before) != len(first) || len(after) != len(then) {
			t.Errorf("%s: %d events have %d ids, %d have %d", c.format, len(first), len(before), len(then), len(after))
		}
		for id, e := range before {
			if !reflect.DeepEqual(after[id], e) {
				t.Errorf("%s: %+v has become %+v", c.format, e, after[id])
			}
		}
		if len(after)-len(before) != c.added {
			t.Errorf("%s: %d added, want %d", c.format, len(after)-len(before), c.added)
		}
	}
}

func TestIDTellsItsPartsApart(t *testing.T) {
	base := Event{User: "ab", Item: "c", Type: "d", Time: time.Unix(1, 0)}
	seen := map[string]string{base.DeriveID(0): "the event"}
	for why, e := range map[string]Event{
		"a letter moved from user to item": {User: "a", Item: "bc", Type: "d", Time: base.Time},
		"a session of that name":           {Session: "ab", Item: "c", Type: "d", Time: base.Time},
		"another time":                     {User: "ab", Item: "c", Type: "d", Time: base.Time.Add(time.Nanosecond)},
	} {
		if other, same := seen[e.DeriveID(0)]; same {
			t.Errorf("%s and %s have one id", why, other)
		}
		seen[e.DeriveID(0)] = why
	}
	if _, same := seen[base.DeriveID(1)]; same {
		t.Error("the ordinal does not count")
	}
	corrected := base
	corrected.Value, corrected.HasValue, corrected.Text, corrected.Time = 3, true, "text", base.Time.In(time.FixedZone("", 3600))
	if corrected.DeriveID(0) != base.DeriveID(0) {
		t.Error("value, text or time zone change the id")
	}
	if got, want := base.DeriveID(7), "785311923ac83e58e418fd3dab91c17f"; got != want {
		t.Errorf("the id of old imports has changed: %s, want %s", got, want)
	}
}

func TestMovieLensComesInTimeOrder(t *testing.T) {
	dir := write(t, "movies.csv", "movieId,title,genres\n",
		"ratings.csv", "userId,movieId,rating,timestamp\n1,1,4,300\n2,1,4,100\n1,2,4,300\n",
		"tags.csv", "userId,movieId,tag,timestamp\n1,1,late,300\n1,1,early,50\n")
	var got []string
	for _, e := range good(t, mustOpen(t, MovieLens, dir, Options{})) {
		got = append(got, e.User+e.Item+e.Type)
	}
	want := []string{"11comment", "21rating", "11rating", "12rating", "11comment"}
	wantList(t, "the order", got, want)
}

func TestBoundsOfMemoryEndTheStream(t *testing.T) {
	movielens := write(t, "movies.csv", "movieId,title,genres\n",
		"ratings.csv", "userId,movieId,rating,timestamp\n1,1,4,300\n1,2,4,300\n1,3,4,300\n")
	csv := write(t, "events.csv", "user,item,type,time\nu,a,view,5\nu,b,view,5\nu,a,view,5\nu,c,view,5\nu,d,view,6\n")
	for _, c := range []struct {
		why    string
		format Format
		dir    string
		opts   Options
		rows   int
		want   error
	}{
		{"as many as may be sorted", MovieLens, movielens, Options{MaxSortedEvents: 3}, 3, nil},
		{"one more than may be sorted", MovieLens, movielens, Options{MaxSortedEvents: 2}, 0, ErrLimit},
		{"as many ties as allowed", CSV, csv, Options{MaxTies: 3}, 5, nil},
		{"one tie too many", CSV, csv, Options{MaxTies: 2}, 3, ErrLimit},
	} {
		rows := 0
		var last error
		for _, err := range mustOpen(t, c.format, c.dir, c.opts).Events() {
			if last != nil {
				t.Errorf("%s: more after %v", c.why, last)
			}
			if last = err; err == nil {
				rows++
			}
		}
		if rows != c.rows || !errors.Is(last, c.want) {
			t.Errorf("%s: %d rows, then %v; want %d, then %v", c.why, rows, last, c.rows, c.want)
		}
	}
}

func TestLoopMayEndEarlyAndBeginAgain(t *testing.T) {
	for _, format := range []Format{Amazon, S3Rec, MovieLens, CSV, JSONL, RecBole} {
		src := mustOpen(t, format, filepath.Join("testdata", string(format)), Options{MaxRowBytes: 450})
		whole := 0
		for range src.Events() {
			whole++
		}
		for stop := 1; stop <= whole; stop++ {
			n := 0
			for range src.Events() {
				if n++; n == stop {
					break
				}
			}
			for range src.Items() {
				break
			}
		}
		again := 0
		for range src.Events() {
			again++
		}
		if again != whole {
			t.Errorf("%s: %d rows at first, %d later", format, whole, again)
		}
	}
}

func TestTimeUnitIsStated(t *testing.T) {
	dir := write(t, "events.csv", "user,item,type,time\nu,a,view,1704067200123\n")
	events := good(t, mustOpen(t, CSV, dir, Options{TimeUnit: Milliseconds}))
	if want := time.UnixMilli(1704067200123); len(events) != 1 || !events[0].Time.Equal(want) {
		t.Errorf("got %v, want %v", events, want)
	}
	if events := good(t, mustOpen(t, CSV, dir, Options{})); len(events) != 0 {
		t.Errorf("milliseconds taken as seconds: %v", events)
	}
}

func TestShortenedValueEndsOnACharacter(t *testing.T) {
	value := bad("c", strings.Repeat("é", 100), "r").Value
	if want := strings.Repeat("é", 40) + "…"; value != want {
		t.Errorf("got %q", value)
	}
	if value := bad("c", "x"+strings.Repeat("é", 100), "r").Value; !slices.Equal([]rune(value), []rune("x"+strings.Repeat("é", 39)+"…")) {
		t.Errorf("got %q", value)
	}
}
