package hnsw

import (
	"github.com/kindred-rec/kindred/index"
)

func (x *Index) searchAllowed(s *scratch, q index.Query, k, ef int, dst []index.Hit) []index.Hit {
	return x.scan(s, q, k, dst)
}
