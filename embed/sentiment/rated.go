package sentiment

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Rated are texts that people rated. The three lists are as long as each other.
type Rated struct {
	Texts   []string
	Ratings []float64 // -Scale to Scale
	Groups  []string  // what belongs together: the review that a sentence is of
}

// maxLine bounds a line of rated texts.
const maxLine = 1 << 20

// ReadTSV reads lines of REVIEW_SENTENCE, rating and text, separated by tabs; what stands
// before the underscore is the group. The error wraps [ErrFormat] and names the line.
func ReadTSV(r io.Reader) (Rated, error) {
	var out Rated
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		id, rest, ok := strings.Cut(lines.Text(), "\t")
		rating, text, also := strings.Cut(rest, "\t")
		if !ok || !also {
			return out, fmt.Errorf("%w: line %d: %.80q has no three columns separated by tabs", ErrFormat, n, lines.Text())
		}
		y, err := strconv.ParseFloat(rating, 64)
		if err != nil || !(math.Abs(y) <= Scale) {
			return out, fmt.Errorf("%w: line %d: rating %.20q is no number from %d to %d", ErrFormat, n, rating, -Scale, Scale)
		}
		group, _, _ := strings.Cut(id, "_")
		out.Texts, out.Ratings, out.Groups = append(out.Texts, text), append(out.Ratings, y), append(out.Groups, group)
	}
	if err := lines.Err(); err != nil {
		return out, fmt.Errorf("%w: line %d: %w", ErrFormat, len(out.Texts)+1, err)
	}
	return out, nil
}

// FromStars maps a rating of a scale, such as 1 to 5 stars, to -Scale to Scale. What lies
// beyond the ends is taken as the end. least must be below most.
func FromStars(value, least, most float64) float64 {
	return max(-Scale, min(Scale, (2*(value-least)/(most-least)-1)*Scale))
}

// Sample returns n of so many rows, by the seed, ascending; all of them if there are no more than n.
func Sample(rows, n int, seed uint64) []int {
	if rows <= n {
		return all(rows)
	}
	out := rand.New(rand.NewPCG(seed, 0x5a3b1e)).Perm(rows)[:n]
	slices.Sort(out)
	return out
}
