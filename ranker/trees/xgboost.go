package trees

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// xgFile is what is read of XGBoost's JSON.
type xgFile struct {
	Learner struct {
		FeatureNames []string `json:"feature_names"`
		Param        struct {
			BaseScore string `json:"base_score"`
			Classes   string `json:"num_class"`
			Targets   string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
		Booster xgBooster `json:"gradient_booster"`
	} `json:"learner"`
}

type xgBooster struct {
	Name  string `json:"name"`
	Model struct {
		Param struct {
			Trees string `json:"num_trees"`
		} `json:"gbtree_model_param"`
		Trees []xgTree `json:"trees"`
	} `json:"model"`
	Inner  *xgBooster `json:"gbtree"` // of dart
	Shares []float64  `json:"weight_drop"`
}

// xgTree is a tree of XGBoost: arrays by node, leaves among them.
type xgTree struct {
	Left      []int     `json:"left_children"`
	Right     []int     `json:"right_children"`
	Feature   []int     `json:"split_indices"`
	Threshold []float64 `json:"split_conditions"` // of a leaf: its value
	Type      []int     `json:"split_type"`
	share     float64
}

func (t *xgTree) splits() int { return len(t.Left) }

func (t *xgTree) isLeaf(i int) bool { return t.Left[i] == -1 }

// number is a node's number as [source] has it.
func (t *xgTree) number(i int) int {
	if i >= 0 && i < len(t.Left) && t.isLeaf(i) {
		return -i - 1
	}
	if i < 0 {
		return len(t.Left) // none: not there
	}
	return i
}

func (t *xgTree) at(i int) split {
	if t.isLeaf(i) { // the root alone
		leaf := -i - 1
		return split{left: leaf, right: leaf}
	}
	// Rows below the threshold go left: those with at most the number before it.
	before := math.Nextafter32(float32(t.Threshold[i]), float32(math.Inf(-1)))
	return split{column: t.Feature[i], threshold: before, left: t.number(t.Left[i]), right: t.number(t.Right[i])}
}

func (t *xgTree) leaf(i int) (float64, bool) {
	if i >= len(t.Left) || !t.isLeaf(i) {
		return 0, false
	}
	return float64(float32(t.Threshold[i])) * t.share, true
}

func readXGBoost(text []byte) (*Model, error) {
	var f xgFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%w: XGBoost's JSON: %w; UBJSON is not read: save it as model.json", ErrModel, err)
	}
	m := &Model{kind: "xgboost"}
	p := f.Learner.Param
	for name, value := range map[string]string{"num_class": p.Classes, "num_target": p.Targets} {
		if value != "" && value != "0" && value != "1" {
			return nil, fmt.Errorf("%w: %s is %s: a ranker's model has one score", ErrModel, name, value)
		}
	}
	b := &f.Learner.Booster
	if b.Name == "dart" && b.Inner != nil {
		b.Inner.Shares = b.Shares
		b = b.Inner
		if len(b.Shares) != len(b.Model.Trees) {
			return nil, fmt.Errorf("%w: it has %d trees and %d of weight_drop", ErrModel, len(b.Model.Trees), len(b.Shares))
		}
	}
	if b.Name != "gbtree" {
		return nil, fmt.Errorf("%w: booster %q; gbtree and dart are read", ErrModel, b.Name)
	}
	if n := b.Model.Param.Trees; n != strconv.Itoa(len(b.Model.Trees)) {
		return nil, fmt.Errorf("%w: it has %d trees, num_trees is %q", ErrModel, len(b.Model.Trees), n)
	}
	var err error
	if m.base, err = margin(p.BaseScore, f.Learner.Objective.Name); err != nil {
		return nil, err
	}
	columns, err := m.columns(f.Learner.FeatureNames)
	if err != nil {
		return nil, err
	}
	for i := range b.Model.Trees {
		t := &b.Model.Trees[i]
		if t.share = 1; b.Shares != nil {
			t.share = b.Shares[i]
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%w: tree %d: %w", ErrModel, i, err)
		}
		if err := m.plant(t, columns); err != nil {
			return nil, err
		}
	}
	return m.finish()
}

func (t *xgTree) check() error {
	n := len(t.Left)
	if n == 0 || len(t.Right) != n || len(t.Feature) != n || len(t.Threshold) != n {
		return fmt.Errorf("it has %d left_children, %d right_children, %d split_indices and %d split_conditions", n, len(t.Right), len(t.Feature), len(t.Threshold))
	}
	for i, kind := range t.Type {
		if kind != 0 {
			return fmt.Errorf("split %d is categorical: features are numbers", i)
		}
	}
	return nil
}

// margin is the base score before the objective's transformation.
func margin(text, objective string) (float64, error) {
	text = strings.Trim(text, "[]") // a list of one since version 3.1
	base, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: base_score: %w", ErrModel, err)
	}
	switch objective {
	case "binary:logistic", "binary:logitraw", "reg:logistic":
		return math.Log(base / (1 - base)), nil
	case "count:poisson", "reg:gamma", "reg:tweedie":
		return math.Log(base), nil
	}
	return base, nil
}
