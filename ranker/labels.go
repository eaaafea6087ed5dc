package ranker

import (
	"math"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// labelKinds are the fields of a row that label it: tags, categories, brand.
const labelKinds = 3

// labels holds the weight of each label by kind and code: ln(items/items that
// bear it), so that what all share says nothing. It is immutable: counted when a
// pipeline is made and by Recount; labels that came later have no say until then.
type labels [labelKinds][]float32

func countLabels(c Catalog) *labels {
	var l labels
	rows := 0
	var single [1]uint32
	for item := range c.Len() {
		row := c.Row(item)
		if row == nil {
			continue
		}
		rows++
		for kind := range l {
			for _, code := range codesOf(row, kind, &single) {
				l[kind] = extend(l[kind], code)
				l[kind][code]++
			}
		}
	}
	for kind := range l {
		for code, count := range l[kind] {
			if count > 0 {
				l[kind][code] = float32(math.Log(float64(rows) / float64(count)))
			}
		}
	}
	return &l
}

func extend(weights []float32, code uint32) []float32 {
	if int(code) < len(weights) {
		return weights
	}
	return append(weights, make([]float32, int(code)+1-len(weights))...)
}

// codesOf are the labels of one kind; single is room for the brand.
func codesOf(row *catalog.Row, kind int, single *[1]uint32) []uint32 {
	switch kind {
	case 0:
		return row.Tags
	case 1:
		return row.Categories
	}
	if row.Brand == 0 {
		return nil
	}
	single[0] = row.Brand
	return single[:]
}

// A labelCell is what a run knows of a label.
type labelCell struct {
	recent float32 // of the first SimilarAnchors anchors: influence times weight of the label
	habit  float32 // of all anchors: the root of their influence
	after  float32 // of the candidates with it: how probable they are next
}

// labelColumns fills LabelSimilarity, which is out, and the other columns of labels: a
// row's labels are read once for all.
func labelColumns(r *run, out []float32) {
	if !r.labels.any() {
		return
	}
	norm, habit := r.addAnchorLabels()
	r.addEvidenceLabels()
	for i, row := range r.rows {
		if row == nil {
			continue
		}
		all := labelSums{own: r.evidenceAfter(i)}
		for kind, column := range [labelKinds]Feature{TagAffinity, CategoryAffinity, BrandAffinity} {
			sum := r.sumLabels(row, kind, &all)
			if sum.habit > 0 {
				r.columns[column][i] = sum.habit / (sum.weight * habit)
			}
		}
		if all.recent > 0 {
			out[i] = all.recent / sqrt(all.square*norm)
		}
		if all.after > 0 {
			r.columns[LabelEvidence][i] = logShare(all.after / all.weight)
		}
	}
	r.clearLabels()
}

func (l *labels) any() bool {
	for kind := range l {
		if len(l[kind]) > 0 {
			return true
		}
	}
	return false
}

// labelSums are over the labels of a row: of their weights, of the squares of these, and of
// weight times what the run knows of each label, apart from the row's own evidence.
type labelSums struct {
	weight, square, recent, habit, after float32
	own                                  float32
}

// sumLabels sums over the labels of one kind, and adds to all.
func (r *run) sumLabels(row *catalog.Row, kind int, all *labelSums) (sum labelSums) {
	var single [1]uint32
	weights, cells := r.labels[kind], r.profile[kind]
	for _, code := range codesOf(row, kind, &single) {
		if int(code) >= len(weights) || int(code) >= len(cells) {
			continue
		}
		w, c := weights[code], &cells[code]
		sum.weight += w
		sum.square += w * w
		sum.recent += w * c.recent
		sum.habit += w * c.habit
		sum.after += w * max(0, c.after-all.own)
	}
	all.weight += sum.weight
	all.square += sum.square
	all.recent += sum.recent
	all.after += sum.after
	return sum
}

// addAnchorLabels adds the anchors' labels and returns the squared length of what is
// recent, and the sum of the roots of all influences.
func (r *run) addAnchorLabels() (norm, habit float32) {
	for i := range r.anchors {
		a := &r.anchors[i]
		root, recent := sqrt(a.influence), a.influence
		if i >= r.world.Settings.SimilarAnchors {
			recent = 0
		}
		habit += root
		r.eachLabel(a.row, func(weight float32, c *labelCell) {
			x := recent * weight
			norm += x * (2*c.recent + x)
			c.recent += x
			c.habit += root
		})
	}
	return norm, habit
}

// addEvidenceLabels adds what co-visitation says of the candidates to their labels.
func (r *run) addEvidenceLabels() {
	for i, row := range r.rows {
		if after := r.evidenceAfter(i); after > 0 {
			r.eachLabel(row, func(_ float32, c *labelCell) { c.after += after })
		}
	}
}

func (r *run) clearLabels() {
	for i := range r.anchors {
		r.eachLabel(r.anchors[i].row, func(_ float32, c *labelCell) { *c = labelCell{} })
	}
	for i, row := range r.rows {
		if r.evidenceAfter(i) > 0 {
			r.eachLabel(row, func(_ float32, c *labelCell) { *c = labelCell{} })
		}
	}
}

// evidenceAfter is how probable candidate i is next, by co-visitation.
func (r *run) evidenceAfter(i int) float32 {
	if at := r.candidates[i].evidence; at >= 0 {
		return r.evidence[at].after
	}
	return 0
}

// eachLabel visits the known labels of a row, which may be nil: their weight, and what the
// run knows of them.
func (r *run) eachLabel(row *catalog.Row, visit func(weight float32, c *labelCell)) {
	if row == nil {
		return
	}
	var single [1]uint32
	for kind, weights := range r.labels {
		if len(r.profile[kind]) < len(weights) {
			r.profile[kind] = make([]labelCell, len(weights))
		}
		for _, code := range codesOf(row, kind, &single) {
			if int(code) < len(weights) {
				visit(weights[code], &r.profile[kind][code])
			}
		}
	}
}
