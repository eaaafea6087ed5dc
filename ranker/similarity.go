package ranker

import "github.com/kindred-rec/kindred/ranker/internal/dots"

// likeness holds the inner products of every candidate with the vectors that a
// request starts from: the user's, then those of the first anchors. A candidate's
// vector is read once for all of them.
type likeness struct {
	queries []float32 // [k, dim], those that there are
	of      []int     // the query of the user (0) and of each anchor (1 and up), -1: none
	scores  []float32 // [candidates, k]
	k       int
	// Where users have a space of their own: the user's vector and the first anchor's in that
	// space, [pairs, dim], those that there are; which is which (-1: there is none); and
	// [candidates, pairs] of them.
	pair   []float32
	pairOf [2]int
	pairs  int
	space  []float32
}

// compare fills the likeness of all candidates. What is missing, of another length or
// not finite counts 0.
func (r *run) compare() {
	l := &r.likeness
	l.queries, l.of, l.k = l.queries[:0], l.of[:0], 0
	dim := r.vectorDim()
	if r.world.UserSpace == nil {
		l.add(r.user, dim)
	} else {
		l.of = append(l.of, -1)
		r.compareUser()
	}
	for i := range r.anchors[:min(len(r.anchors), r.world.Settings.SimilarAnchors)] {
		l.add(r.anchors[i].vector, dim)
	}
	l.scores = zeros(l.scores, l.k*len(r.candidates))
	if l.k == 0 {
		return
	}
	next := r.candidateVector(0)
	for i := range r.candidates {
		v := next
		next = r.candidateVector(i + 1)
		if len(v) == dim {
			l.against(v, next, l.scores[i*l.k:(i+1)*l.k])
		}
	}
}

// compareUser compares the user's vector, and that of the first anchor, with the candidates'
// in the space of the users' vectors.
func (r *run) compareUser() {
	l := &r.likeness
	last := r.lastInSpace()
	dim := max(len(r.user), len(last))
	l.pair, l.pairs, l.pairOf = l.pair[:0], 0, [2]int{-1, -1}
	for which, v := range [2][]float32{r.user, last} {
		if len(v) == dim && dim > 0 {
			l.pair, l.pairOf[which] = append(l.pair, v...), l.pairs
			l.pairs++
		}
	}
	l.space = zeros(l.space, l.pairs*len(r.candidates))
	if l.pairs == 0 {
		return
	}
	next := r.userSpaceVector(0)
	for i := range r.candidates {
		v := next
		next = r.userSpaceVector(i + 1)
		if len(v) != dim {
			continue
		}
		out := l.space[i*l.pairs : (i+1)*l.pairs]
		dots.Many(v, next, l.pair, out)
		for j, x := range out {
			if !(x >= -2 && x <= 2) {
				out[j] = 0
			}
		}
	}
}

// lastInSpace is the first anchor's vector in the space of the users' vectors, nil for none.
func (r *run) lastInSpace() []float32 {
	if len(r.anchors) == 0 {
		return nil
	}
	return r.world.UserSpace.Vector(r.anchors[0].item)
}

// userSpaceVector is the vector of candidate i in the user's space, nil for none or past
// the end.
func (r *run) userSpaceVector(i int) []float32 {
	if i >= len(r.candidates) {
		return nil
	}
	return r.world.UserSpace.Vector(r.candidates[i].item)
}

// candidateVector is the vector of candidate i, nil for none or past the end.
func (r *run) candidateVector(i int) []float32 {
	if i >= len(r.candidates) {
		return nil
	}
	return r.vector(r.candidates[i].item)
}

// vectorDim is the length of the vectors in use, 0 for none.
func (r *run) vectorDim() int {
	for i := range r.anchors {
		if n := len(r.anchors[i].vector); n > 0 {
			return n
		}
	}
	if r.world.Vectors == nil || r.world.UserSpace != nil {
		return 0
	}
	return len(r.user)
}

func (l *likeness) add(v []float32, dim int) {
	if len(v) != dim || dim == 0 {
		l.of = append(l.of, -1)
		return
	}
	l.of = append(l.of, l.k)
	l.queries = append(l.queries, v...)
	l.k++
}

// against compares one vector with all queries; ahead is the one to come.
func (l *likeness) against(v, ahead, out []float32) {
	for at := 0; at < l.k; at += dots.Max {
		end := min(at+dots.Max, l.k)
		dots.Many(v, ahead, l.queries[at*len(v):end*len(v)], out[at:end])
	}
	for j, x := range out {
		if !(x >= -2 && x <= 2) {
			out[j] = 0
		}
	}
}

// column writes the scores of one query: the user's (0) or an anchor's (1 and up).
func (l *likeness) column(of int, out []float32) {
	if of >= len(l.of) || l.of[of] < 0 {
		return
	}
	q := l.of[of]
	for i := range out {
		out[i] = l.scores[i*l.k+q]
	}
}

func userSimilarity(r *run, out []float32) {
	if r.world.UserSpace == nil {
		r.likeness.column(0, out)
		return
	}
	r.inSpace(0, out)
}

func spaceSimilarity(r *run, out []float32) {
	if r.world.UserSpace == nil {
		r.likeness.column(1, out)
		return
	}
	r.inSpace(1, out)
}

// inSpace writes what compareUser found: of the user (0) or of the first anchor (1).
func (r *run) inSpace(which int, out []float32) {
	l := &r.likeness
	if at := l.pairOf[which]; at >= 0 {
		for i := range out {
			out[i] = l.space[i*l.pairs+at]
		}
	}
}

func lastSimilarity(r *run, out []float32) { r.likeness.column(1, out) }

func secondSimilarity(r *run, out []float32) { r.likeness.column(2, out) }

// meanSimilarity is over the anchors with a vector.
func meanSimilarity(r *run, out []float32) {
	l := &r.likeness
	all := float32(0)
	for a := 1; a < len(l.of); a++ {
		if l.of[a] >= 0 {
			all += r.anchors[a-1].influence
		}
	}
	if all == 0 {
		return
	}
	for a := 1; a < len(l.of); a++ {
		if q := l.of[a]; q >= 0 {
			share := r.anchors[a-1].influence / all
			for i := range out {
				out[i] += share * l.scores[i*l.k+q]
			}
		}
	}
}

// contextSimilarity is the largest over the page's items, which come first.
func contextSimilarity(r *run, out []float32) {
	l := &r.likeness
	met := false
	for a := 1; a < len(l.of) && r.anchors[a-1].kind == OnPage; a++ {
		q := l.of[a]
		if q < 0 {
			continue
		}
		for i := range out {
			if x := l.scores[i*l.k+q]; !met || x > out[i] {
				out[i] = x
			}
		}
		met = true
	}
}

// recentSimilarity is the largest over the anchors; one without a vector counts 0.
func recentSimilarity(r *run, out []float32) {
	l := &r.likeness
	if len(l.of) < 2 {
		return
	}
	first, none := len(l.of), false
	for a := 1; a < len(l.of); a++ {
		if l.of[a] < 0 {
			none = true
		} else {
			first = min(first, l.of[a])
		}
	}
	for i := range out {
		scores := l.scores[i*l.k : (i+1)*l.k]
		if first >= len(scores) {
			continue
		}
		largest := scores[first]
		for _, x := range scores[first+1:] {
			largest = max(largest, x)
		}
		if none {
			largest = max(largest, 0)
		}
		out[i] = largest
	}
}
