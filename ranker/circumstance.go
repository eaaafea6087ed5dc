package ranker

import "time"

// Columns of the request: the same for all candidates.

const (
	dayMicros  = int64(24 * time.Hour / time.Microsecond)
	weekMicros = 7 * dayMicros
	// epochWeekday is that of the first of January 1970, a Thursday, from Monday.
	epochWeekday = 3
)

func hourColumn(r *run, out []float32) {
	if r.req.Now != 0 {
		fill(out, float32(positive(r.local(), dayMicros))/float32(dayMicros))
	}
}

func weekdayColumn(r *run, out []float32) {
	if r.req.Now != 0 {
		day := positive(r.local()+epochWeekday*dayMicros, weekMicros) / dayMicros
		fill(out, float32(day)/7)
	}
}

// local is the time that the shop's clocks show.
func (r *run) local() int64 {
	return r.req.Now%weekMicros + r.world.Settings.UTCOffset.Microseconds()
}

// positive is x modulo m, at or above 0.
func positive(x, m int64) int64 { return (x%m + m) % m }

func surfaceColumn(r *run, out []float32) { fill(out, SurfaceNumber(r.req.Surface)) }

// surfaces is how many numbers there are for names.
const surfaces = 251

// SurfaceNumber is what the feature Surface is for a name: a number in (0, 1] made of its
// bytes (FNV-1a), so that it is the same everywhere and always; 0 for "". One in 251 pairs
// of names share a number.
func SurfaceNumber(name string) float32 {
	if name == "" {
		return 0
	}
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return float32(1+hash%surfaces) / surfaces
}

func fill(out []float32, x float32) {
	for i := range out {
		out[i] = x
	}
}
