package evaluate

import (
	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// crossed asks each user the pipeline whose weights were fitted on the users of the other
// half.
type crossed [2]*full

func (c *crossed) ask(q dataset.Query) (int, []uint32, error) { return c[half(q)].ask(q) }

// half is the part of the validation that a user is of.
func half(q dataset.Query) int { return int(xxhash.Sum64String(q.User) % 2) }

// otherHalf is the questions of users that are not of this half.
func otherHalf(questions []dataset.Query, own int) []dataset.Query {
	var other []dataset.Query
	for _, q := range questions {
		if half(q) != own {
			other = append(other, q)
		}
	}
	return other
}
