package ranker

import "github.com/kindred-rec/kindred/ranker/internal/dots"

// likeness holds the inner products of every candidate with the vectors that a request
// starts from, in one space: the user's, then those of the first anchors. A candidate's
// vector is read once for all of them.
type likeness struct {
	queries []float32 // [k, dim], those that there are
	of      []int     // the query of the user (0) and of each anchor (1 and up), -1: none
	scores  []float32 // [candidates, k]
	k, dim  int
}

// compare fills the likeness of all candidates, in the space of the texts' vectors and in
// that of the users' where it is another. What is missing, of another length or not finite
// counts 0.
func (r *run) compare() {
	similar := r.anchors[:min(len(r.anchors), r.world.Settings.SimilarAnchors)]
	l := &r.likeness
	if r.world.UserSpace == nil {
		l.begin(r.user, vectorDim(similar, r.user))
	} else {
		l.begin(nil, vectorDim(similar, nil))
	}
	for i := range similar {
		l.add(similar[i].vector)
	}
	l.compare(r.world.Vectors, r.candidates)
	if r.world.UserSpace == nil {
		return
	}
	space := &r.inSpace
	space.begin(r.user, len(r.user))
	for i := range similar {
		v := r.world.UserSpace.Vector(similar[i].item)
		if space.dim == 0 {
			space.dim = len(v)
		}
		space.add(v)
	}
	space.compare(r.world.UserSpace, r.candidates)
}

// users is the likeness in the space of the users' vectors.
func (r *run) users() *likeness {
	if r.world.UserSpace == nil {
		return &r.likeness
	}
	return &r.inSpace
}

// vectorDim is the length of the vectors in use, 0 for none.
func vectorDim(anchors []anchor, user []float32) int {
	for i := range anchors {
		if n := len(anchors[i].vector); n > 0 {
			return n
		}
	}
	return len(user)
}

func (l *likeness) begin(user []float32, dim int) {
	l.queries, l.of, l.k, l.dim = l.queries[:0], l.of[:0], 0, dim
	l.add(user)
}

func (l *likeness) add(v []float32) {
	if len(v) != l.dim || l.dim == 0 {
		l.of = append(l.of, -1)
		return
	}
	l.of = append(l.of, l.k)
	l.queries = append(l.queries, v...)
	l.k++
}

func (l *likeness) compare(space Vectors, candidates []candidate) {
	l.scores = zeros(l.scores, l.k*len(candidates))
	if l.k == 0 || space == nil || len(candidates) == 0 {
		return
	}
	next := space.Vector(candidates[0].item)
	for i := range candidates {
		v := next
		next = nil
		if i+1 < len(candidates) {
			next = space.Vector(candidates[i+1].item)
		}
		if len(v) == l.dim {
			l.against(v, next, l.scores[i*l.k:(i+1)*l.k])
		}
	}
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

func userSimilarity(r *run, out []float32) { r.users().column(0, out) }

func spaceSimilarity(r *run, out []float32) { r.users().column(1, out) }

func spaceRecent(r *run, out []float32) { r.users().largest(out) }

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

func recentSimilarity(r *run, out []float32) { r.likeness.largest(out) }

// largest is over the anchors; one without a vector counts 0.
func (l *likeness) largest(out []float32) {
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
	if first >= l.k {
		return
	}
	for i := range out {
		scores := l.scores[i*l.k+first : (i+1)*l.k]
		largest := scores[0]
		for _, x := range scores[1:] {
			if x > largest { // the scores are finite
				largest = x
			}
		}
		if none && largest < 0 {
			largest = 0
		}
		out[i] = largest
	}
}
