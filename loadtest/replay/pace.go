package replay

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseSpeed reads a multiple of real time such as "100x" or "0.5"; "max" is 0, as fast as it goes.
func ParseSpeed(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	speed, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(speed > 0 && speed <= maxSpeed) {
		return 0, fmt.Errorf("replay: %w: speed %q: must be a multiple of real time above 0 to %g, such as 100x, or max", ErrOptions, text, float64(maxSpeed))
	}
	return speed, nil
}

// maxSpeed is a year in a second or two.
const maxSpeed = 3e7

// pace keeps steps to the times of their events. The zero speed waits for nothing. Not safe for concurrent use.
type pace struct {
	speed float64
	start time.Time // when first was due
	first time.Time // of the log
	late  time.Duration
}

// wait waits until an event of the log is due, or notes by how much it is late.
func (p *pace) wait(ctx context.Context, event time.Time) error {
	if p.speed <= 0 {
		return nil
	}
	if p.start.IsZero() {
		p.start, p.first = time.Now(), event
	}
	ahead := time.Until(p.start) + time.Duration(float64(event.Sub(p.first))/p.speed)
	if ahead <= 0 {
		p.late = max(p.late, -ahead)
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
