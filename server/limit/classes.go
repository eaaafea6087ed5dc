package limit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Classes holds a limiter for each class of calls of each tenant, so that a tenant's slow calls of one kind leave room for
// its others, and for all of its neighbours. There are as many limiters as tenants that called, times classes.
type Classes struct {
	configs map[string]Config
	tenants sync.Map // of *set, by name
}

// set is one tenant's.
type set struct {
	limiters map[string]*Limiter // by class; not written after it is made
	refused  map[string]*atomic.Uint64
}

// NewClasses returns limiters that begin with the most of their class. A class that has no Config has no bound.
func NewClasses(configs map[string]Config) *Classes { return &Classes{configs: configs} }

// Acquire admits a call, which must Release the limiter that it gets; nil where the class has no bound. False: there are as
// many as may be.
func (c *Classes) Acquire(tenant, class string) (*Limiter, bool) {
	if _, bounded := c.configs[class]; !bounded {
		return nil, true
	}
	s := c.of(tenant)
	l := s.limiters[class]
	if !l.Acquire() {
		s.refused[class].Add(1)
		return l, false
	}
	return l, true
}

func (c *Classes) of(tenant string) *set {
	if v, ok := c.tenants.Load(tenant); ok {
		return v.(*set)
	}
	s := &set{limiters: map[string]*Limiter{}, refused: map[string]*atomic.Uint64{}}
	for class, config := range c.configs {
		s.limiters[class], s.refused[class] = New(config), &atomic.Uint64{}
	}
	v, _ := c.tenants.LoadOrStore(tenant, s)
	return v.(*set)
}

// Each gives every limiter that there is, and how many calls it turned away.
func (c *Classes) Each(each func(tenant, class string, l *Limiter, refused uint64)) {
	c.tenants.Range(func(tenant, v any) bool {
		for class, l := range v.(*set).limiters {
			each(tenant.(string), class, l, v.(*set).refused[class].Load())
		}
		return true
	})
}

// Parse reads CLASS=MOST or CLASS=MOST:TARGET, such as "write=256:500ms", for some of the known classes, each once. MOST is 1 to
// 1,000,000, or 0 for no bound; TARGET is 1 ms to an hour.
func Parse(texts, known []string) (map[string]Config, error) {
	configs, seen := map[string]Config{}, map[string]bool{}
	for _, text := range texts {
		class, bound, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(known, class) || seen[class] {
			return nil, fmt.Errorf("%q: give CLASS=MOST or CLASS=MOST:TARGET, such as %s=256:500ms, with each of %s once at most", text, known[0], strings.Join(known, ", "))
		}
		seen[class] = true
		number, target, adapts := strings.Cut(bound, ":")
		most, err := strconv.Atoi(number)
		if err != nil || most < 0 || most > 1_000_000 {
			return nil, fmt.Errorf("%q: %q is no number of calls: give 1 to 1000000, or 0 for no bound", text, number)
		}
		config := Config{Most: most}
		if adapts {
			if config.Target, err = time.ParseDuration(target); err != nil || config.Target < time.Millisecond || config.Target > time.Hour {
				return nil, fmt.Errorf("%q: %q is no time that a call should take: give 1ms to 1h, or none for a fixed number", text, target)
			}
		}
		if most > 0 {
			configs[class] = config
		}
	}
	return configs, nil
}
