package clicks

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrOptions: an option is out of its range.
var ErrOptions = errors.New("clicks: bad option")

// Objective is something that a list is to lead to.
type Objective struct {
	Name   string        // the type of its events: "click"
	Weight float64       // of one, beside the others: above 0 to 1000
	Window time.Duration // how long after the list it counts, above 0
	// Least is the value that an event must have at least, as of a rating. 0: any, or none.
	Least float64
}

// DefaultObjectives are what counts where nothing else is said: a purchase as much as five
// clicks, within a week; a good rating, of 4 and more, as two, within a month.
func DefaultObjectives() []Objective {
	day := 24 * time.Hour
	return []Objective{
		{Name: "click", Weight: 1, Window: day}, {Name: "add_to_cart", Weight: 2, Window: day},
		{Name: "purchase", Weight: 5, Window: 7 * day}, {Name: "rating", Weight: 2, Window: 30 * day, Least: 4},
	}
}

// ParseObjectives reads weights written as "click=1,purchase=5". What it does not name is no
// objective; windows and least values are those of [DefaultObjectives], and a week for other
// types. "" is the defaults.
func ParseObjectives(text string) ([]Objective, error) {
	if text == "" {
		return DefaultObjectives(), nil
	}
	var list []Objective
	for part := range strings.SplitSeq(text, ",") {
		name, weight, ok := strings.Cut(strings.TrimSpace(part), "=")
		w, err := strconv.ParseFloat(weight, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("%w: objective %q; write them as click=1,purchase=5", ErrOptions, part)
		}
		o := Objective{Name: name, Weight: w, Window: 7 * 24 * time.Hour}
		for _, usual := range DefaultObjectives() {
			if usual.Name == name {
				o.Window, o.Least = usual.Window, usual.Least
			}
		}
		list = append(list, o)
	}
	return list, checkObjectives(list)
}

// maxObjectives is how many fit a [Judged].
const maxObjectives = 32

func checkObjectives(list []Objective) error {
	if len(list) == 0 || len(list) > maxObjectives {
		return fmt.Errorf("%w: %d objectives; it must lie in [1, %d]", ErrOptions, len(list), maxObjectives)
	}
	met := map[string]bool{}
	for _, o := range list {
		switch {
		case o.Name == "" || met[o.Name]:
			return fmt.Errorf("%w: objective %q has no name, or stands there twice", ErrOptions, o.Name)
		case !(o.Weight > 0 && o.Weight <= 1000) || o.Window <= 0 || math.IsNaN(o.Least):
			return fmt.Errorf("%w: objective %s has weight %v, window %v and least value %v; the weight must lie in (0, 1000], the window above 0",
				ErrOptions, o.Name, o.Weight, o.Window, o.Least)
		}
		met[o.Name] = true
	}
	return nil
}
