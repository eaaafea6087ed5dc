package simulate

import (
	"math"
	"time"
)

// User is what is known of one user for good. It follows from the world's seed and the number alone.
type User struct {
	Number int
	// Bot clicks on nearly all that it is shown and buys nothing. It counts in no figure.
	Bot bool
	// VisitsPerDay is the mean.
	VisitsPerDay float64
	// thrift is how much the price matters, 0 and up, with mean 1.
	thrift float64
}

const (
	mostVisits = 12.0 // a day, on average, of any user
	botVisits  = 10.0
)

// User computes a user. Numbers of Users and more are bots.
func (w *World) User(n int) User {
	d := keyed(w.Seed, forUser, uint64(n), 0)
	u := User{Number: n, Bot: n >= w.Users, VisitsPerDay: botVisits, thrift: math.Exp(0.5*d.normal() - 0.125)}
	if !u.Bot {
		u.VisitsPerDay = min(mostVisits, w.activity*math.Pow(float64(n+1), -w.Zipf))
	}
	return u
}

// activity is the mean number of visits of the most active user, so that the mean over all is as configured (but for the cap).
func activity(c Config) float64 {
	sum := 0.0
	exact := min(c.Users, 10_000)
	for rank := 1; rank <= exact; rank++ {
		sum += math.Pow(float64(rank), -c.Zipf)
	}
	if c.Users > exact { // the rest as an integral
		a, b := float64(exact)+0.5, float64(c.Users)+0.5
		if c.Zipf == 1 {
			sum += math.Log(b / a)
		} else {
			sum += (math.Pow(b, 1-c.Zipf) - math.Pow(a, 1-c.Zipf)) / (1 - c.Zipf)
		}
	}
	return c.VisitsPerDay * float64(c.Users) / sum
}

// mood is a user on a day: what decides about clicks and purchases.
type mood struct {
	taste   []float32 // [dims], unit length
	thrift  float64
	demand  []float64 // [topics], what the season adds
	isABot  bool
	scratch []float32
}

func (w *World) newMood() *mood {
	return &mood{taste: make([]float32, w.Dims), demand: make([]float64, len(topics)), scratch: make([]float32, w.Dims)}
}

// feel brings a mood to a user on a day. Taste turns from what it was at the start to something else, by w.Drift radians a day.
func (w *World) feel(m *mood, u User, day int) {
	w.interest(m.taste, u, 0)
	if w.Drift > 0 {
		w.interest(m.scratch, u, 1)
		angle := w.Drift * float64(day+w.HistoryDays)
		towards := float32(math.Sin(angle))
		for i := range m.taste {
			m.taste[i] = float32(math.Cos(angle))*m.taste[i] + towards*m.scratch[i]
		}
		stretch(m.taste, 1)
	}
	m.thrift, m.isABot = u.thrift, u.Bot
	w.season(m.demand, day)
}

// interest is one state of a user's taste: a main topic and another one, some words, a style and a brand of the main one, and
// what has no name. All of it lies in the space of items.
func (w *World) interest(v []float32, u User, state uint64) {
	d := keyed(w.Seed, forTaste, uint64(u.Number), state)
	clear(v)
	main, other := d.pick(w.topicSums), d.pick(w.topicSums)
	addScaled(v, w.topicVectors[main], 0.75)
	addScaled(v, w.topicVectors[other], 0.4)
	for i, word := range threeOf(&d, wordsPerTopic) {
		addScaled(v, w.wordVectors[main*wordsPerTopic+word], wordScale[i])
	}
	addScaled(v, w.styleVectors[d.below(len(styles))], 0.35)
	addScaled(v, w.brandVectors[main*brandsPerTopic+d.below(brandsPerTopic)], 0.25)
	noise := make([]float32, 0, maxDims)[:len(v)]
	d.direction(noise, 0.3)
	addScaled(v, noise, 1)
	stretch(v, 1)
}

// season is what is in demand on a day: each topic has its time in a period.
func (w *World) season(demand []float64, day int) {
	for t := range demand {
		d := keyed(w.Seed, forTopics, uint64(t), 1)
		demand[t] = w.Season * math.Sin(2*math.Pi*(float64(day)/w.SeasonDays+d.unit()))
	}
}

// Visit is one call of a user at the shop. It is the same in every copy of the world in which the user is still there.
type Visit struct {
	User    int
	Day     int
	Ordinal int // of the user's visits of the day, from 0
	Time    time.Time
}

// key names the visit in streams of random numbers.
func (v Visit) key() uint64 {
	return uint64(v.User)<<24 ^ uint64(v.Day+4096)<<8 ^ uint64(v.Ordinal)
}

// visitsOf appends the visits of a user on a day, in time order.
func (w *World) visitsOf(to []Visit, u User, day int) []Visit {
	d := keyed(w.Seed, forDay, uint64(u.Number), uint64(day+4096))
	n := min(d.poisson(u.VisitsPerDay), mostVisitsADay)
	start := w.dayStart(day).Add(6 * time.Hour) // the shop's items of the day are there by then
	for i := range n {
		// One visit in each part of the day, so that they do not overlap.
		part := 17 * time.Hour / time.Duration(n)
		to = append(to, Visit{User: u.Number, Day: day, Ordinal: i, Time: start.Add(time.Duration(i)*part +
			time.Duration(d.unit()*float64(part-visitLength))).Truncate(time.Second)})
	}
	return to
}

const (
	mostVisitsADay = 48
	visitLength    = 20 * time.Minute
)
