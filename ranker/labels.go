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

// labelSimilarity sums the labels of the first anchors, each by its influence, and
// compares those of every candidate with the sum.
func labelSimilarity(r *run, out []float32) {
	anchors := r.anchors[:min(len(r.anchors), r.world.Settings.SimilarAnchors)]
	for i := range anchors {
		r.addLabels(anchors[i].item, anchors[i].influence)
	}
	if norm := r.labelNorm(anchors); norm > 0 {
		for i := range r.candidates {
			if row := r.world.Catalog.Row(r.candidates[i].item); row != nil {
				out[i] = r.sharedLabels(row, norm)
			}
		}
	}
	for i := range anchors {
		r.clearLabels(anchors[i].item)
	}
}

// addLabels adds an item's labels to the profile.
func (r *run) addLabels(item uint32, influence float32) {
	r.eachLabel(item, func(weight float32, profile *float32) { *profile += influence * weight })
}

func (r *run) clearLabels(item uint32) {
	r.eachLabel(item, func(_ float32, profile *float32) { *profile = 0 })
}

// labelNorm is the squared length of the profile.
func (r *run) labelNorm(anchors []anchor) (sum float32) {
	for i := range anchors {
		r.eachLabel(anchors[i].item, func(_ float32, profile *float32) {
			if *profile > 0 { // counted once: what is counted is turned over, to be turned back
				sum += *profile * *profile
				*profile = -*profile
			}
		})
	}
	for i := range anchors {
		r.eachLabel(anchors[i].item, func(_ float32, profile *float32) { *profile = max(*profile, -*profile) })
	}
	return sum
}

// eachLabel visits the known labels of an item: their weight, and their place in
// the profile.
func (r *run) eachLabel(item uint32, visit func(weight float32, profile *float32)) {
	row := r.world.Catalog.Row(item)
	if row == nil {
		return
	}
	var single [1]uint32
	for kind, weights := range r.labels {
		if len(r.profile[kind]) < len(weights) {
			r.profile[kind] = make([]float32, len(weights))
		}
		for _, code := range codesOf(row, kind, &single) {
			if int(code) < len(weights) {
				visit(weights[code], &r.profile[kind][code])
			}
		}
	}
}

// sharedLabels is the cosine of a row's labels with the profile.
func (r *run) sharedLabels(row *catalog.Row, norm float32) float32 {
	var single [1]uint32
	shared, own := float32(0), float32(0)
	for kind, weights := range r.labels {
		profile := r.profile[kind]
		for _, code := range codesOf(row, kind, &single) {
			if int(code) < len(profile) {
				shared += weights[code] * profile[code]
				own += weights[code] * weights[code]
			}
		}
	}
	if shared == 0 {
		return 0
	}
	return shared / sqrt(own*norm)
}
