package remote

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"google.golang.org/protobuf/proto"
)

// Whatever bytes come as vectors, they are refused or are exactly what packing gives back.
func FuzzUnpackVectors(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add([]byte{0, 0, 0x80, 0x3f}, 1)
	f.Add([]byte{0, 0, 0xc0, 0x7f}, 1)
	f.Add([]byte{1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		out := make([]float32, n)
		if err := wire.UnpackVectors(raw, out); err != nil {
			return
		}
		for _, x := range out {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				t.Fatalf("%g was taken", x)
			}
		}
		if !slices.Equal(wire.PackVectors(out), raw) {
			t.Fatal("packing what was unpacked gives other bytes")
		}
	})
}

// What is sent of a text is valid, short enough, a part of it in order, and all that a
// model reads of it.
func FuzzSendable(f *testing.F) {
	f.Add("desk lamp", 4)
	f.Add("naïve café №5", 3)
	f.Add("\xff\xfe\x80é\x80", 2)
	f.Add(strings.Repeat("é", 50), 33)
	f.Fuzz(func(t *testing.T, text string, maxBytes int) {
		if maxBytes < 1 {
			return
		}
		sent := sendable(text, maxBytes)
		if !utf8.ValidString(sent) || len(sent) > maxBytes+utf8.UTFMax {
			t.Fatalf("sent %q of %d bytes, bound %d", sent, len(sent), maxBytes)
		}
		if want := strings.ToValidUTF8(upTo(text, maxBytes), ""); !strings.HasPrefix(sent, want) {
			t.Fatalf("sent %q, the model reads %q", sent, want)
		}
		if !strings.HasPrefix(strings.ToValidUTF8(text, ""), sent) {
			t.Fatalf("sent %q is not how %q begins", sent, text)
		}
	})
}

// Whatever a worker says of itself is refused or within bounds that the client can live with.
func FuzzLimits(f *testing.F) {
	good, err := proto.Marshal(&kindredv1.EmbeddingServiceInfoResponse{
		Model: "m@1", Dimension: 384, MaxTokens: 128, MaxBytes: 65536, MaxTexts: 1024, MaxRequestBytes: 4 << 20, StreamWindow: 4,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var reply kindredv1.EmbeddingServiceInfoResponse
		if proto.Unmarshal(raw, &reply) != nil {
			return
		}
		l, err := limitsOf(&reply)
		if err != nil {
			return
		}
		if l.texts < 1 || l.bytes < l.info.MaxBytes || l.info.Dim < 1 || l.window < 1 || l.texts*l.info.Dim > max(l.info.Dim, MaxReplyBytes/wire.Float32Bytes) {
			t.Fatalf("took %+v", l)
		}
	})
}

// The breaker's life with a clock of the test's own.
func TestBreaker(t *testing.T) {
	at := time.Unix(1000, 0)
	b := &breaker{failures: 3, pause: time.Second, longest: 3 * time.Second, jitter: newJitter(1)}
	may := func(want bool) {
		t.Helper()
		if ok, _ := b.allow(at); ok != want {
			t.Fatalf("a call may go through: %v, want %v; breaker %s", ok, want, b.state)
		}
	}
	fail := func() { b.failure(at, ErrWorker, false) }
	may(true)
	fail()
	fail()
	b.success() // the row is broken
	fail()
	fail()
	may(true)
	fail()
	may(false)
	at = at.Add(1250 * time.Millisecond) // the pause and its jitter
	may(true)                            // the trial
	may(false)                           // only one
	b.neither()                          // its caller gave up
	may(true)
	fail() // two seconds now
	at = at.Add(1400 * time.Millisecond)
	may(false)
	at = at.Add(1100 * time.Millisecond)
	may(true)
	b.success()
	may(true)
	may(true)
	b.failure(at, ErrModelMismatch, true) // grave: at once
	may(false)
	if _, opened, cause := b.snapshot(); cause != ErrModelMismatch || opened != 3 {
		t.Errorf("cause %v, opened %d times; want the last and 3", cause, opened)
	}
}

func TestPausesAreSpreadAndBounded(t *testing.T) {
	a, b := newJitter(1), newJitter(1)
	seen := map[time.Duration]bool{}
	for n := 1; n < 40; n++ {
		pause := a.backoff(n, 0)
		if pause != b.backoff(n, 0) {
			t.Fatal("the same seed gives other pauses")
		}
		if pause < firstPause*3/4 || pause > longestPause*5/4 {
			t.Errorf("pause %d is %v", n, pause)
		}
		seen[pause] = true
		if hinted := a.backoff(n, time.Second); hinted < time.Second || hinted > 1500*time.Millisecond {
			t.Errorf("pause after a hint of 1 s is %v", hinted)
		}
		b.backoff(n, time.Second)
	}
	if len(seen) < 30 {
		t.Errorf("%d different pauses of 39", len(seen))
	}
}
