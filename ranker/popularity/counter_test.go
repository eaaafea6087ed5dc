package popularity

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

func mustNew(t testing.TB, o Options) *Counter {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheNewOvertakesTheOld(t *testing.T) {
	hour := time.Hour.Microseconds()
	c := mustNew(t, Options{HalfLife: time.Hour})
	for range 10 {
		_ = c.Add(1, 1, 0)
	}
	_ = c.Add(2, 1, 5*hour) // worth 32 acts of five hours ago
	c.Publish()
	if got := c.Top(); !slices.Equal(got, []uint32{2, 1}) {
		t.Errorf("top %v, want 2 then 1", got)
	}
	if got := c.Count(1, 6*hour); math.Abs(got-10.0/64) > 1e-9 {
		t.Errorf("count of 1 six hours later is %v, want %v", got, 10.0/64)
	}
	// Without decay the same acts rank the other way.
	plain := mustNew(t, Options{})
	_ = plain.Add(2, 1, 5*hour)
	_, _ = plain.Add(1, 1, 0), plain.Add(1, 1, 0)
	plain.Publish()
	if got := plain.Top(); !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("top without decay %v, want 1 then 2", got)
	}
}

func TestTiesGoToTheSmallerNumber(t *testing.T) {
	c := mustNew(t, Options{})
	for _, item := range []uint32{9, 3, 7} {
		_ = c.Add(item, 1, 0)
	}
	c.Publish()
	if got := c.Top(); !slices.Equal(got, []uint32{3, 7, 9}) {
		t.Errorf("top %v, want 3, 7, 9", got)
	}
}

func TestTopIsWhatSortingAllCountsGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		halfLife := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "half-life")
		c, err := New(Options{MaxTop: rapid.IntRange(1, 8).Draw(t, "top"), HalfLife: halfLife})
		if err != nil {
			t.Fatal(err)
		}
		plain := map[uint32]float64{}
		now := int64(0)
		for range rapid.IntRange(0, 60).Draw(t, "acts") {
			item, weight := rapid.Uint32Range(0, 20).Draw(t, "item"), rapid.Float64Range(0.5, 3).Draw(t, "weight")
			step := rapid.Int64Range(0, 20).Draw(t, "seconds") * 1e6
			if halfLife > 0 {
				for i := range plain {
					plain[i] *= math.Exp2(-float64(step) / float64(halfLife.Microseconds()))
				}
			}
			now += step
			plain[item] += weight
			if err := c.Add(item, weight, now); err != nil {
				t.Fatal(err)
			}
		}
		c.Publish()
		top := c.Top()
		if want := min(len(plain), c.options.MaxTop); len(top) != want && halfLife == 0 {
			t.Fatalf("%d items at the top, want %d", len(top), want)
		}
		for i, item := range top {
			if got := c.Count(item, now); math.Abs(got-plain[item]) > 1e-6*(1+plain[item]) {
				t.Fatalf("count of %d is %v, want %v", item, got, plain[item])
			}
			if i > 0 && c.before(top[i-1], item) >= 0 {
				t.Fatalf("%v is out of order at %d", top, i)
			}
		}
		for item, count := range plain {
			if len(top) > 0 && !slices.Contains(top, item) && count > plain[top[len(top)-1]]*(1+1e-9) {
				t.Fatalf("item %d with %v is missing from %v", item, count, top)
			}
		}
		saved, _ := c.AppendBinary(nil)
		again, err := Load(saved, c.options)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Top(), top) {
			t.Fatalf("after a checkpoint %v, want %v", again.Top(), top)
		}
	})
}

func TestBadActsAndOptionsAreRefused(t *testing.T) {
	c := mustNew(t, Options{MaxItems: 5})
	for _, weight := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if err := c.Add(1, weight, 0); !errors.Is(err, ErrAct) {
			t.Errorf("weight %v: %v, want ErrAct", weight, err)
		}
	}
	if err := c.Add(5, 1, 0); !errors.Is(err, ErrAct) {
		t.Errorf("item 5: %v, want ErrAct", err)
	}
	for _, o := range []Options{{MaxItems: -1}, {MaxTop: 1 << 20}, {HalfLife: 1}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v, want ErrOptions", o, err)
		}
	}
}

func TestReadersRunBesideAWriter(t *testing.T) {
	c := mustNew(t, Options{HalfLife: time.Second})
	var readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				for _, item := range c.Top() {
					_ = c.Count(item, 0)
				}
			}
		}
	})
	for i := range int64(3000) {
		_ = c.Add(uint32(i*i%97), 1, i*1e6)
	}
	close(done)
	readers.Wait()
	if c.Publish(); len(c.Top()) == 0 {
		t.Error("nothing was counted")
	}
}

// FuzzLoad gives any body a right checksum: what gets past it must still be sound.
func FuzzLoad(f *testing.F) {
	for _, o := range []Options{{}, {HalfLife: time.Hour}} {
		c := mustNew(f, o)
		_, _ = c.Add(1, 1, 0), c.Add(2, 1, 1e9)
		saved, _ := c.AppendBinary(nil)
		f.Add(saved[:len(saved)-hashBytes], o.HalfLife > 0)
	}
	f.Fuzz(func(t *testing.T, body []byte, timed bool) {
		o := Options{MaxItems: 1000, MaxTop: 10}
		if timed {
			o.HalfLife = time.Hour
		}
		c, err := Load(binary.LittleEndian.AppendUint64(body, xxhash.Sum64(body)), o)
		if err != nil {
			if !errors.Is(err, ErrCheckpoint) {
				t.Fatalf("%v, want ErrCheckpoint", err)
			}
			return
		}
		if err := c.Add(1, 1, 0); err != nil || len(c.Top()) > 10 {
			t.Fatalf("%v, %d at the top", err, len(c.Top()))
		}
	})
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	c := mustNew(t, Options{HalfLife: time.Hour})
	_ = c.Add(3, 1, 5)
	saved, _ := c.AppendBinary(nil)
	for i := range saved {
		damaged := slices.Clone(saved)
		damaged[i] ^= 1
		if _, err := Load(damaged, c.options); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("byte %d changed: %v, want ErrCheckpoint", i, err)
		}
	}
	if _, err := Load(saved, Options{}); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("other half-life: %v, want ErrCheckpoint", err)
	}
}

func BenchmarkAdd(b *testing.B) {
	c := mustNew(b, Options{HalfLife: time.Hour})
	b.ReportAllocs()
	x := uint32(1)
	for i := range b.N {
		x = x*1664525 + 1013904223
		if err := c.Add((x>>16)%3459*(x>>8%7)%3459, 1, int64(i)*1e4); err != nil {
			b.Fatal(err)
		}
	}
}
