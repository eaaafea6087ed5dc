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
	user    []float32 // [candidates] of the user's, where that has a space of its own
}

// compare fills the likeness of all candidates. What is missing, of another length or
// not finite counts 0.
func (r *run) compare() {
	l := &r.likeness
	l.queries, l.of, l.k, l.user = l.queries[:0], l.of[:0], 0, l.user[:0]
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

// compareUser compares the user's vector with the candidates' in its own space.
func (r *run) compareUser() {
	l := &r.likeness
	if len(r.user) == 0 {
		return
	}
	l.user = zeros(l.user, len(r.candidates))
	next := r.userSpaceVector(0)
	for i := range r.candidates {
		v := next
		next = r.userSpaceVector(i + 1)
		if len(v) == len(r.user) {
			dots.Many(v, next, r.user, l.user[i:i+1])
		}
		if x := l.user[i]; !(x >= -2 && x <= 2) {
			l.user[i] = 0
		}
	}
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
	if copy(out, r.likeness.user) == 0 {
		r.likeness.column(0, out)
	}
}

func lastSimilarity(r *run, out []float32) { r.likeness.column(1, out) }

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
