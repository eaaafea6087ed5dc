package ranker

import (
	"math"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/conversion"
)

// rowsOf asks for all items and returns their features.
func rowsOf(t *testing.T, w World, req Request) map[uint32]Features {
	t.Helper()
	req.Limit = MaxLimit
	rows := map[uint32]Features{}
	for _, x := range recommend(t, must(New(w)), req).Items {
		rows[x.Item] = x.Features
	}
	return rows
}

func near(a float32, b float64) bool { return math.Abs(float64(a)-b) < 1e-5 }

func TestARankFallsWithThePlaceInItsSource(t *testing.T) {
	world, _ := board(t, boardItems)
	world.Settings.NeighbourCandidates = 30 // all that there are
	rows := rowsOf(t, world, Request{UserVector: world.Vectors.Vector(10), History: touches(30)})
	hits := world.Nearest.Nearest(world.Vectors.Vector(10), boardItems, nil, nil)
	for place, hit := range hits {
		if got := rows[hit.Item][UserRank]; !near(got, 10/(10+float64(place))) {
			t.Errorf("place %d of the user's vector has %v", place, got)
		}
	}
	for place, hit := range world.Neighbours.Neighbours(30) {
		if got := rows[hit.Item][NeighbourRank]; !near(got, 10/(10+float64(place))) {
			t.Errorf("place %d of the neighbours has %v", place, got)
		}
	}
	listed := rowsOf(t, world, Request{Candidates: []uint32{10, 12}})
	if x := listed[10]; x[UserRank] != 0 || x[NeighbourRank] != 0 {
		t.Errorf("a list that the caller brings has ranks %v and %v", x[UserRank], x[NeighbourRank])
	}
}

func TestCoVisitationOfTheLastItemsStandsAlone(t *testing.T) {
	world, _ := board(t, boardItems)
	of := func(item uint32) Features { return rowsOf(t, world, Request{History: touches(item)})[14] }
	both := rowsOf(t, world, Request{History: touches(12, 10)})[14]
	if want := of(10)[CoVisitedLast]; want == 0 || both[CoVisitedLast] != want || want != of(10)[CoVisited] {
		t.Errorf("the last item says %v; alone it says %v", both[CoVisitedLast], want)
	}
	if want := of(12)[CoVisitedLast]; want == 0 || both[CoVisitedSecond] != want {
		t.Errorf("the one before says %v; alone it says %v", both[CoVisitedSecond], want)
	}
	most := float32(0)
	for _, x := range rowsOf(t, world, Request{History: touches(12, 10)}) {
		most = max(most, x[CoVisitedShare])
	}
	if most != 1 {
		t.Errorf("the largest share is %v", most)
	}
}

func TestLikenessIsToldOfEachRecentItemAndOfThePage(t *testing.T) {
	world, _ := board(t, boardItems)
	x := rowsOf(t, world, Request{History: touches(3, 10), Context: []uint32{5}, Candidates: []uint32{7}})[7]
	v := func(item uint32) float64 {
		return float64(similarity(world.Vectors.Vector(item), world.Vectors.Vector(7)))
	}
	// Anchors are the page's item, then 10 and 3.
	mean := (v(5) + 0.8*v(10) + 0.64*v(3)) / (1 + 0.8 + 0.64)
	if !near(x[LastSimilarity], v(5)) || !near(x[SecondSimilarity], v(10)) || !near(x[MeanSimilarity], mean) ||
		!near(x[ContextSimilarity], v(5)) || !near(x[SpaceSimilarity], v(5)) || !near(x[SpaceRecent], max(v(5), v(3))) {
		t.Errorf("%v, want %.4f, %.4f, %.4f", x, v(5), v(10), mean)
	}
}

func TestARepeatIsTheStrongerTheNearerItsTouch(t *testing.T) {
	world, _ := board(t, boardItems)
	rows := rowsOf(t, world, Request{History: touches(2, 4, 2, 6)})
	if rows[6][RepeatRecency] != 1 || rows[2][RepeatRecency] != 0.5 || !near(rows[4][RepeatRecency], 1./3) || rows[8][RepeatRecency] != 0 {
		t.Errorf("%v %v %v %v", rows[6][RepeatRecency], rows[2][RepeatRecency], rows[4][RepeatRecency], rows[8][RepeatRecency])
	}
}

// priced is a board whose items cost, and are labelled, as told.
func priced(t *testing.T, edit func(i uint32, item *catalog.Item)) World {
	world, table := board(t, boardItems)
	for i := range uint32(boardItems) {
		item := catalog.Item{ID: table.Row(i).ID}
		edit(i, &item)
		if err := table.Put(i, item); err != nil {
			t.Fatal(err)
		}
	}
	return world
}

func TestAPriceIsFarWhereTheHistoryPaidOthers(t *testing.T) {
	world := priced(t, func(i uint32, item *catalog.Item) {
		if i != 9 {
			item.Price = new(float64(10 + i%2)) // about ten
		}
		if i == 8 {
			*item.Price = 500
		}
	})
	rows := rowsOf(t, world, Request{History: touches(2, 4, 6)})
	if rows[10][PriceDistance] > 0.1 || rows[8][PriceDistance] != farPrice || rows[9][PriceDistance] != 0 {
		t.Errorf("the usual price is %v off, fifty times it %v, none %v", rows[10][PriceDistance], rows[8][PriceDistance], rows[9][PriceDistance])
	}
	if x := rowsOf(t, world, Request{History: touches(9)})[8][PriceDistance]; x != 0 {
		t.Errorf("without a price in the history: %v", x)
	}
}

func TestHabitsAreSharesOfWhatWasDone(t *testing.T) {
	world := priced(t, func(i uint32, item *catalog.Item) {
		item.Brand = []string{"a", "b", "c"}[i%3]
		item.Categories = []string{[]string{"x", "y"}[i/20]}
		item.Tags = []string{[]string{"p", "q", "r", "s"}[i%4]}
	})
	// Of 3, 6 and 13, two are of brand a and two in x; the last, 13, weighs most.
	rows := rowsOf(t, world, Request{History: touches(3, 6, 13)})
	weights := []float64{1, math.Sqrt(0.8), math.Sqrt(0.64)} // of 13, 6, 3
	all := weights[0] + weights[1] + weights[2]
	if got := rows[9][BrandAffinity]; !near(got, (weights[1]+weights[2])/all) {
		t.Errorf("brand a has %v", got)
	}
	if got := rows[15][CategoryAffinity]; !near(got, 1) {
		t.Errorf("x has %v, y %v", got, rows[25][CategoryAffinity])
	}
	if got := rows[17][TagAffinity]; !near(got, weights[0]/all) { // tag q, of 13
		t.Errorf("tag q has %v", got)
	}
}

func TestLabelsTellWhatComesNextOfItemsThatNobodyFollowedUp(t *testing.T) {
	world := priced(t, func(i uint32, item *catalog.Item) {
		switch i {
		case 14, 39: // 14 follows 10; nobody went from 10 to 39
			item.Brand = "next"
		case 37:
			item.Brand = "other"
		default:
			item.Brand = "rest"
		}
	})
	rows := rowsOf(t, world, Request{History: touches(10)})
	if x := rows[39]; x[CoVisited] != 0 || x[LabelEvidence] < 1 {
		t.Errorf("39 of the brand of what follows: co-visited %v, by its label %v", x[CoVisited], x[LabelEvidence])
	}
	if x := rows[37][LabelEvidence]; x != 0 {
		t.Errorf("37 of a brand of its own has %v", x)
	}
	if x := rows[14]; x[CoVisited] == 0 || x[LabelEvidence] != 0 {
		t.Errorf("14 itself: co-visited %v; its own evidence is not told twice, but %v", x[CoVisited], x[LabelEvidence])
	}
}

func TestRatesAndStockAndAge(t *testing.T) {
	const now = 40 * int64(24*time.Hour/time.Microsecond)
	world := priced(t, func(i uint32, item *catalog.Item) {
		item.Created = now - int64(i)*int64(24*time.Hour/time.Microsecond)
		if i == 4 {
			item.Stock = new(int64(3))
		}
	})
	world.Conversion = must(conversion.New(conversion.Options{Prior: 1}))
	for item := range uint32(20) {
		for range 20 {
			_ = must(0, world.Conversion.Add(item, conversion.Shown, now))
			_ = must(0, world.Conversion.Add(item, conversion.Opened, now))
		}
		for range 5 * (item%2 + 1) {
			_ = must(0, world.Conversion.Add(item, conversion.Clicked, now))
			_ = must(0, world.Conversion.Add(item, conversion.Bought, now))
		}
	}
	rows := rowsOf(t, world, Request{History: touches(2), Now: now})
	if a, b := rows[6], rows[7]; !(a[ClickRate] < -0.2 && b[ClickRate] > 0.2 && a[PurchaseRate] == a[ClickRate]) || rows[30][ClickRate] != 0 {
		t.Errorf("half as often %v, twice as often %v, never shown %v", a[ClickRate], b[ClickRate], rows[30][ClickRate])
	}
	if rows[4][Scarcity] != 0.25 || rows[5][Scarcity] != 0 {
		t.Errorf("three left %v, no limit %v", rows[4][Scarcity], rows[5][Scarcity])
	}
	if !near(rows[7][Age], math.Log(8)) {
		t.Errorf("after seven days: %v", rows[7][Age])
	}
}

func TestWhatWasPassedOverIsCounted(t *testing.T) {
	world, _ := board(t, boardItems)
	req := Request{History: touches(10), Impressions: []Showing{{Item: 12}, {Item: 14}, {Item: 12}, {Item: 1 << 30}}}
	rows := rowsOf(t, world, req)
	if !near(rows[12][PassedOver], math.Log(3)) || !near(rows[14][PassedOver], math.Log(2)) || rows[16][PassedOver] != 0 {
		t.Errorf("%v %v %v", rows[12][PassedOver], rows[14][PassedOver], rows[16][PassedOver])
	}
	req.PersonalizationOff = true
	if x := rowsOf(t, world, req)[12][PassedOver]; x != 0 {
		t.Errorf("without personalization: %v", x)
	}
}

func TestCircumstancesAreThoseOfTheShopsClock(t *testing.T) {
	world, _ := board(t, boardItems)
	sunday := time.Date(2024, 3, 3, 23, 30, 0, 0, time.UTC).UnixMicro()
	for _, c := range []struct {
		offset        time.Duration
		hour, weekday float64
	}{{0, 23.5 / 24, 6. / 7}, {time.Hour, 0.5 / 24, 0}, {-24 * time.Hour, 23.5 / 24, 5. / 7}} {
		world.Settings.UTCOffset = c.offset
		x := rowsOf(t, world, Request{Now: sunday, Surface: "cart"})[3]
		if !near(x[Hour], c.hour) || !near(x[Weekday], c.weekday) || x[Surface] != SurfaceNumber("cart") || x[Position] != 0 {
			t.Errorf("offset %v: hour %v, weekday %v, surface %v", c.offset, x[Hour]*24, x[Weekday]*7, x[Surface])
		}
	}
	if a, b := SurfaceNumber("cart"), SurfaceNumber("home"); a == b || a <= 0 || a > 1 || SurfaceNumber("") != 0 {
		t.Errorf("cart %v, home %v", a, b)
	}
	before := time.Date(1969, 12, 31, 6, 0, 0, 0, time.UTC).UnixMicro() // a Wednesday
	if x := rowsOf(t, World{Catalog: world.Catalog}, Request{Now: before})[0]; !near(x[Hour], 0.25) || !near(x[Weekday], 2./7) {
		t.Errorf("before 1970: hour %v, weekday %v", x[Hour]*24, x[Weekday]*7)
	}
}
