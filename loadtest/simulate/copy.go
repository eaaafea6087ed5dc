package simulate

import (
	"context"
	"slices"
)

// The sums of one user. All are counts but those that say otherwise; lists alone count, not browsing.
const (
	sumVisits = iota
	sumShown
	sumClicks
	sumPurchases
	sumCents
	sumWorth // expected value of what was shown
	sumBest  // expected value of the best list at the same moment
	sumNew   // shown items that came since the comparison began
	sumHere  // 1: has not left
	sumUser  // 1
	sumKinds
)

// sums of one user in one copy of the world.
type sums [sumKinds]float64

// shopCopy is one policy, and what became of the shop under it. A copy is worked on by one goroutine at a time.
type shopCopy struct {
	*shelves
	policy    Policy
	random    random // shows what is shown in the history
	scene     scene
	judge     judge
	oracle    *oracle
	customers []customer
	moods     []*mood // one for each visit of a window
	window    int

	onShelf int       // items that the policy was told of
	wanted  []float64 // of each item, the weight of the acts so far

	total, today []sums  // of each user, without bots; today is added when the day has ended in all copies
	exposed      []int64 // of each item, over all days of the comparison
	exposedToday []int64
	deciles      [10]int64 // of exposures, by how wanted the item was when the day began; 0: the most wanted tenth
	decilesToday [10]int64
	visitsDone   int // of the day
	decileOfItem []uint8
	days         []dayFigures
}

func newShopCopy(s *shelves, p Policy, surface string, window int) *shopCopy {
	n := len(s.goods)
	c := &shopCopy{
		shelves: s, policy: p, random: random{w: s.World}, scene: scene{World: s.World, goods: s, surface: surface},
		judge: judge{World: s.World, goods: s}, oracle: newOracle(s), customers: newCustomers(s.World), window: window,
		wanted: make([]float64, n), total: make([]sums, s.Users), today: make([]sums, s.Users),
		exposed: make([]int64, n), exposedToday: make([]int64, n), decileOfItem: make([]uint8, n),
	}
	for range window {
		c.moods = append(c.moods, s.newMood())
	}
	return c
}

func newCustomers(w *World) []customer {
	all := make([]customer, w.Users+w.Bots)
	for i := range all {
		all[i].satisfaction = satisfactionAtStart
	}
	return all
}

// day lets the visits of a day happen. day below 0 is of the history.
func (c *shopCopy) day(ctx context.Context, day int, plan []Visit) error {
	if until := c.OnShelf(day); until > c.onShelf {
		if err := c.policy.Arrive(ctx, c.onShelf, until); err != nil {
			return err
		}
		c.onShelf = until
	}
	c.begin(day)
	for len(plan) > 0 {
		var now []Visit
		now, plan = c.nextWindow(plan)
		if err := c.visits(ctx, now); err != nil {
			return err
		}
	}
	if day < -1 {
		return nil
	}
	return c.policy.EndDay(ctx, day)
}

func (c *shopCopy) begin(day int) {
	clear(c.today)
	clear(c.exposedToday)
	c.visitsDone = 0
	clear(c.decilesToday[:])
	rankTenths(c.wanted[:c.OnShelf(day)], c.decileOfItem)
}

// nextWindow takes visits of different users, of those who are still there, from the front of a plan: they are answered side
// by side from one state.
func (c *shopCopy) nextWindow(plan []Visit) (now, rest []Visit) {
	for i, v := range plan {
		if c.customers[v.User].left {
			continue
		}
		if len(now) == c.window || slices.ContainsFunc(now, func(o Visit) bool { return o.User == v.User }) {
			return now, plan[i:]
		}
		now = append(now, v)
	}
	return now, nil
}

func (c *shopCopy) visits(ctx context.Context, now []Visit) error {
	if len(now) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	asks := make([]Ask, len(now))
	for i, v := range now {
		c.feel(c.moods[i], c.User(v.User), v.Day)
		who := &c.customers[v.User]
		asks[i] = Ask{Visit: v, Bought: who.items, mood: c.moods[i], has: who.products}
	}
	show := c.policy.Show
	if now[0].Day < 0 {
		show = c.random.Show
	}
	shown, err := show(ctx, asks)
	if err != nil {
		return err
	}
	var acts []Act
	for i, a := range asks {
		acts = append(acts, c.happen(a, shown[i])...)
	}
	if err := c.policy.Learn(ctx, acts); err != nil {
		return err
	}
	c.visitsDone += len(now)
	return nil
}

// happen lets one visit happen and counts it.
func (c *shopCopy) happen(a Ask, shown Shown) []Act {
	who, counts := &c.customers[a.Visit.User], a.Visit.Day >= 0 && !a.mood.isABot
	if counts {
		s := &c.today[a.Visit.User]
		s[sumWorth] += c.judge.worth(a.mood, who.products, shown.Items)
		s[sumBest] += c.judge.worth(a.mood, who.products, c.oracle.show(a.mood, who.products, a.Visit.Day))
	}
	out := c.scene.visit(a.Visit, a.mood, who, shown)
	for i := range out.acts {
		c.wanted[out.acts[i].ItemNumber] += weight(&out.acts[i])
	}
	if !counts {
		return out.acts
	}
	c.scene.settle(a.Visit, who, out.clicks)
	s := &c.today[a.Visit.User]
	s[sumVisits]++
	s[sumShown] += float64(len(shown.Items))
	s[sumClicks] += float64(out.clicks)
	s[sumPurchases] += float64(out.purchases)
	s[sumCents] += float64(out.revenue)
	for _, n := range shown.Items {
		c.exposedToday[n]++
		c.decilesToday[c.decileOfItem[n]]++
		if n >= c.Items {
			s[sumNew]++
		}
	}
	return out.acts
}

// commit adds the day to the totals.
func (c *shopCopy) commit(day int) {
	f := dayFigures{day: day, onShelf: c.OnShelf(day), gini: gini(c.exposedToday[:c.OnShelf(day)]), deciles: c.decilesToday}
	for u := range c.today {
		for k, v := range c.today[u] {
			c.total[u][k] += v
			f.sums[k] += v
		}
		c.total[u][sumUser], c.total[u][sumHere] = 1, 1
		f.sums[sumUser]++
		if c.customers[u].left {
			c.total[u][sumHere] = 0
		} else {
			f.sums[sumHere]++
		}
	}
	for n, k := range c.exposedToday {
		c.exposed[n] += k
	}
	for i, k := range c.decilesToday {
		c.deciles[i] += k
	}
	c.days = append(c.days, f)
}

// dayFigures are what a day came to in one copy.
type dayFigures struct {
	day, onShelf int
	sums         sums
	gini         float64
	deciles      [10]int64
}
