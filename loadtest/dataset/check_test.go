package dataset

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckCountsWhatIsThere(t *testing.T) {
	dir := write(t, "items.csv", "id,title,stock\na,A,1\nb,B,many\na,A again,2\n",
		"events.csv", "id,user,session,item,type,time\n1,u,,a,view,2024-01-02T00:00:00Z\n2,u,,c,view,2024-01-01T00:00:00Z\n"+
			"3,,s,a,purchase,2024-01-03T00:00:00Z\n3,,s,a,purchase,2024-01-03T00:00:00Z\n4,,,a,view,2024-01-03T00:00:00Z\n5,u,,,view,2024-01-03T00:00:00Z\n")
	var told []string
	sum, err := Check(mustOpen(t, CSV, dir, Options{}), func(e *RowError) error {
		told = append(told, e.Column)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{Items: RowCount{Good: 2, Broken: 1, Repeated: 1}, Events: RowCount{Good: 4, Broken: 2, Repeated: 1},
		Users: Distinct{Count: 1}, Sessions: Distinct{Count: 1}, EventItems: Distinct{Count: 2}, UnknownItems: Distinct{Count: 1}, UnknownSample: []string{"c"},
		Types: map[string]int64{"view": 2, "purchase": 2}, First: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		Last: time.Date(2024, 1, 3, 0, 0, 0, 0, time.UTC), OutOfOrder: 1, Disorder: 24 * time.Hour}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Join(told, ",") != "stock,user,item" || sum.Broken() != 3 {
		t.Errorf("told of %v, %d broken rows", told, sum.Broken())
	}
}

func TestCheckEndsWhereItIsToldTo(t *testing.T) {
	enough := errors.New("enough")
	calls := 0
	_, err := Check(mustOpen(t, JSONL, "testdata/jsonl", Options{}), func(*RowError) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
	if _, err := Check(mustOpen(t, CSV, write(t, "items.csv", "name\nA\n"), Options{}), nil); !errors.Is(err, ErrHeader) {
		t.Errorf("error %v; want %v", err, ErrHeader)
	}
}
