package conversion

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = int64(24 * time.Hour / time.Microsecond)

func counter(t testing.TB, o Options) *Counter {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func count(t testing.TB, c *Counter, item uint32, act Act, n int, at int64) {
	t.Helper()
	for range n {
		if err := c.Add(item, act, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestActsHalveWithTheHalfLife(t *testing.T) {
	c := counter(t, Options{HalfLife: 10 * 24 * time.Hour})
	count(t, c, 3, Shown, 8, 0)
	count(t, c, 3, Clicked, 2, 10*day)
	if got := c.Counts(3, 10*day); got != (Counts{4, 2, 0, 0}) {
		t.Errorf("after a half-life: %v", got)
	}
	if got := c.Counts(3, 20*day); got != (Counts{2, 1, 0, 0}) {
		t.Errorf("after another: %v", got)
	}
	if got, all := c.Counts(4, 0), c.Totals(20*day); got != (Counts{}) || all != (Counts{2, 1, 0, 0}) {
		t.Errorf("an item that was never counted has %v; all have %v", got, all)
	}
}

func TestFewImpressionsSayLittleAndManySayMuch(t *testing.T) {
	c := counter(t, Options{Prior: 20})
	for item := range uint32(100) { // the shop's rate is about a tenth
		count(t, c, item, Shown, 100, day)
		count(t, c, item, Clicked, 10, day)
	}
	count(t, c, 200, Shown, 1, day)
	count(t, c, 200, Clicked, 1, day) // all of one
	count(t, c, 201, Shown, 1000, day)
	count(t, c, 201, Clicked, 300, day) // 30% of a thousand
	count(t, c, 202, Shown, 1000, day)  // nobody wanted it
	rates := c.Rates(day)
	log := func(item uint32) float64 { return math.Log(rates.Click(c.Raw(item))) }
	few, liked, passed := log(200), log(201), log(202)
	if !(few > 0 && few < 0.5 && liked > 0.8 && passed < -3) {
		t.Errorf("log ratios: one click of one %.2f, 300 of 1000 %.2f, none of 1000 %.2f", few, liked, passed)
	}
	if average := log(5); math.Abs(average) > 0.15 {
		t.Errorf("an average item has %.3f", average)
	}
	if got := log(300); got != 0 {
		t.Errorf("an item that nobody met has %v", got)
	}
	if got := rates.Buy(c.Raw(201)); got != 1 {
		t.Errorf("where nothing was bought a purchase rate is %v", got)
	}
}

// TestCountsAreThoseOfAPlainSum holds the factored decay to a sum over all acts.
func TestCountsAreThoseOfAPlainSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _ := New(Options{HalfLife: time.Hour, MaxItems: 3000})
		type done struct {
			item uint32
			act  Act
			at   int64
		}
		var all []done
		now := int64(0)
		for range rapid.IntRange(0, 30).Draw(t, "acts") {
			now += rapid.SampledFrom([]int64{0, 1e6, 3600e6, 400 * 3600e6}).Draw(t, "pause")
			d := done{rapid.Uint32Range(0, 2).Draw(t, "item") * 1100, Act(rapid.IntRange(0, 3).Draw(t, "act")), now}
			all = append(all, d)
			if err := c.Add(d.item, d.act, d.at); err != nil {
				t.Fatal(err)
			}
		}
		var want [3]Counts
		for _, d := range all {
			want[d.item/1100][d.act] += math.Exp2(-float64(now-d.at) / 3600e6)
		}
		for i, w := range want {
			got := c.Counts(uint32(i)*1100, now)
			for act := range got {
				if math.Abs(got[act]-w[act]) > 1e-9*(1+w[act]) {
					t.Fatalf("item %d has %v, want %v", i, got, w)
				}
			}
		}
	})
}

func TestACheckpointGoesOnAsIfNothingHadHappened(t *testing.T) {
	o := Options{HalfLife: time.Hour}
	a := counter(t, o)
	for i := range 2000 {
		count(t, a, uint32(i*7%1500), Act(i%4), 1, int64(i)*3e9)
	}
	saved, err := a.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	saved = saved[len("before"):]
	b, err := Load(saved, o)
	if err != nil {
		t.Fatal(err)
	}
	count(t, a, 9, Bought, 3, 7e12)
	count(t, b, 9, Bought, 3, 7e12)
	x, _ := a.AppendBinary(nil)
	y, _ := b.AppendBinary(nil)
	if !bytes.Equal(x, y) {
		t.Error("the one that was loaded counts otherwise")
	}
	for i := range saved {
		bad := bytes.Clone(saved)
		bad[i] ^= 0x10
		if _, err := Load(bad, o); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d turned: %v, want ErrCheckpoint", i, err)
		}
	}
	for name, other := range map[string]Options{"half-life": {HalfLife: time.Minute}, "items": {HalfLife: time.Hour, MaxItems: 100}} {
		if _, err := Load(saved, other); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("other %s: %v, want ErrCheckpoint", name, err)
		}
	}
	if _, err := Load(saved[:20], o); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("20 bytes: %v, want ErrCheckpoint", err)
	}
}

func TestWhatCannotBeCountedIsRefused(t *testing.T) {
	c := counter(t, Options{MaxItems: 10})
	for _, err := range []error{c.Add(10, Shown, 0), c.Add(0, Acts, 0)} {
		if !errors.Is(err, ErrAct) {
			t.Errorf("%v, want ErrAct", err)
		}
	}
	if got := c.Totals(0); got != (Counts{}) {
		t.Errorf("%v was counted", got)
	}
	for i, o := range []Options{{MaxItems: -1}, {HalfLife: 1}, {Prior: -1}, {Prior: math.NaN()}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("options %d: %v, want ErrOptions", i, err)
		}
	}
}

func Example() {
	counter, err := New(Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 90 {
		_ = counter.Add(1, Shown, 0)
	}
	for range 10 {
		_ = counter.Add(2, Shown, 0)
		_ = counter.Add(2, Clicked, 0)
	}
	rates := counter.Rates(0)
	fmt.Printf("%.2f %.2f\n", rates.Click(counter.Raw(1)), rates.Click(counter.Raw(2)))
	// Output: 0.36 2.50
}

func BenchmarkRates(b *testing.B) {
	c := counter(b, Options{})
	for i := range uint32(100_000) {
		count(b, c, i, Act(i%4), 1, 0)
	}
	rates, sum := c.Rates(0), 0.0
	for i := 0; b.Loop(); i++ {
		raw := c.Raw(uint32(i*7919) % 100_000)
		sum += rates.Click(raw) + rates.Buy(raw)
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}
