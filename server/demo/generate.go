package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Config says which shop to make. The zero value is the shop of the story, ending now.
type Config struct {
	Seed  uint64    // any; the same Config gives the same shop
	Users int       // 1 to 5,000; default 300
	Weeks int       // of visits, 1 to 52; default 6
	Now   time.Time // end of the last week; zero: the present minute
}

// Shop is a catalog, shoppers, and what they did. It is not to be changed by several goroutines at once.
type Shop struct {
	Items  []*kindredv1.Item  // no id twice, shelf by shelf
	Users  []User             // those with a name; some events are of anonymous sessions
	Events []*kindredv1.Event // in time order, the last no later than the end; ids are unique
}

func (c Config) withDefaults() (Config, error) {
	if c.Users == 0 {
		c.Users = 300
	}
	if c.Weeks == 0 {
		c.Weeks = 6
	}
	if c.Now.IsZero() {
		c.Now = time.Now().Truncate(time.Minute)
	}
	c.Now = c.Now.UTC()
	if c.Users < 1 || c.Users > 5000 {
		return c, fmt.Errorf("demo: %d users: must lie between 1 and 5,000", c.Users)
	}
	if c.Weeks < 1 || c.Weeks > 52 {
		return c, fmt.Errorf("demo: %d weeks: must lie between 1 and 52", c.Weeks)
	}
	return c, nil
}

// Generate makes a shop. It fails only for a Config out of its bounds.
func Generate(config Config) (*Shop, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	stock := stockUp(rand.New(rand.NewPCG(c.Seed, 1)), c.Now)
	shop := &Shop{Users: populate(rand.New(rand.NewPCG(c.Seed, 2)), c.Users)}
	for _, g := range stock.goods {
		shop.Items = append(shop.Items, g.item)
	}
	// Everybody has numbers of their own, so that one user more does not change the others.
	for i := range shop.Users {
		u := &shop.Users[i]
		v := &visitor{rng: rand.New(rand.NewPCG(c.Seed, 1000+uint64(i))), stock: stock, end: c.Now, user: u.ID, who: u, name: u.ID}
		shop.Events = append(shop.Events, v.walk(c, 2+v.rng.IntN(5)+v.rng.IntN(5))...)
	}
	for i := range max(1, c.Users/8) {
		name := fmt.Sprintf("guest-%03d", i+1)
		v := &visitor{rng: rand.New(rand.NewPCG(c.Seed, 1_000_000+uint64(i))), stock: stock, end: c.Now, session: name, name: name}
		shop.Events = append(shop.Events, v.walk(c, 1)...)
	}
	slices.SortFunc(shop.Events, byTime)
	return shop, nil
}

// walk is all visits of one visitor.
func (v *visitor) walk(c Config, visits int) []*kindredv1.Event {
	for _, start := range starts(v.rng, visits, c.Now.AddDate(0, 0, -7*c.Weeks), c.Now.Add(-10*time.Minute)) {
		v.visit(start)
	}
	return v.log
}

// Small is a shop for tests: the whole catalog, forty users, three weeks that end at now.
func Small(now time.Time) *Shop {
	shop, err := Generate(Config{Seed: 1, Users: 40, Weeks: 3, Now: now})
	if err != nil {
		panic(err) // unreachable: the bounds are kept
	}
	return shop
}
