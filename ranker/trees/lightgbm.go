package trees

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// lightTree is a tree of LightGBM: arrays by split and by leaf.
type lightTree struct {
	feature, decision, left, right []int
	threshold, value               []float64
}

// Bits of decision_type.
const (
	categorical = 1
	defaultLeft = 2
	missing     = 3 << 2 // 0: none, 1: zero, 2: NaN, which features never are
	missingZero = 1 << 2
)

func (t *lightTree) splits() int { return len(t.feature) }

func (t *lightTree) at(i int) split {
	s := split{column: t.feature[i], threshold: floor(t.threshold[i]), left: t.left[i], right: t.right[i]}
	if t.decision[i]&missing == missingZero {
		s.zero = toTheRight
		if t.decision[i]&defaultLeft != 0 {
			s.zero = toTheLeft
		}
	}
	return s
}

func (t *lightTree) leaf(i int) (float64, bool) {
	if i >= len(t.value) {
		return 0, false
	}
	return t.value[i], true
}

// section is the lines key=value between two empty ones.
type section map[string]string

// lightReader reads sections.
type lightReader struct {
	lines *bufio.Scanner
	line  int
}

// next reads a section. end: "end of trees" has come.
func (r *lightReader) next() (s section, end bool, err error) {
	s = section{}
	for r.lines.Scan() {
		r.line++
		text := strings.TrimSpace(r.lines.Text())
		switch {
		case text == "end of trees":
			return s, true, nil
		case text == "" && len(s) > 0:
			return s, false, nil
		case text == "":
			continue
		}
		key, value, _ := strings.Cut(text, "=")
		s[key] = value
	}
	if err := r.lines.Err(); err != nil {
		return nil, false, fmt.Errorf("%w: line %d: %w", ErrModel, r.line+1, err)
	}
	return nil, false, fmt.Errorf("%w: it is cut off after line %d: no \"end of trees\"", ErrModel, r.line)
}

func readLightGBM(lines *bufio.Scanner) (*Model, error) {
	lines.Buffer(make([]byte, 64<<10), MaxFile)
	r := &lightReader{lines: lines}
	head, _, err := r.next()
	if err != nil {
		return nil, err
	}
	m := &Model{kind: "lightgbm"}
	columns, err := m.lightHead(head)
	if err != nil {
		return nil, err
	}
	count := len(strings.Fields(head["tree_sizes"]))
	for {
		s, end, err := r.next()
		if err != nil {
			return nil, err
		}
		if len(s) > 0 {
			t, err := lightTreeOf(s)
			if err != nil {
				return nil, fmt.Errorf("%w: tree %d, which ends at line %d: %w", ErrModel, len(m.trees), r.line, err)
			}
			if err := m.plant(t, columns); err != nil {
				return nil, err
			}
		}
		if end {
			break
		}
	}
	if len(m.trees) != count {
		return nil, fmt.Errorf("%w: it has %d trees, its head lists %d", ErrModel, len(m.trees), count)
	}
	return m.finish()
}

// lightHead checks what stands before the trees.
func (m *Model) lightHead(head section) ([]int32, error) {
	switch {
	case head["num_class"] != "1" || head["num_tree_per_iteration"] != "1":
		return nil, fmt.Errorf("%w: it has %q classes and %q trees an iteration: a ranker's model has one score", ErrModel, head["num_class"], head["num_tree_per_iteration"])
	case !strings.HasPrefix(head["version"], "v3") && !strings.HasPrefix(head["version"], "v4"):
		return nil, fmt.Errorf("%w: it is LightGBM's text of version %q; v3 and v4 are read", ErrModel, head["version"])
	}
	return m.columns(strings.Fields(head["feature_names"]))
}

func lightTreeOf(s section) (*lightTree, error) {
	t := &lightTree{}
	if s["num_cat"] != "0" {
		return nil, fmt.Errorf("num_cat is %q: categorical splits are not served, features are numbers", s["num_cat"])
	}
	if linear, ok := s["is_linear"]; ok && linear != "0" {
		return nil, fmt.Errorf("is_linear is %q: linear leaves are not served", linear)
	}
	leaves, err := strconv.Atoi(s["num_leaves"])
	if err != nil || leaves < 1 {
		return nil, fmt.Errorf("num_leaves is %q", s["num_leaves"])
	}
	for _, x := range []struct {
		key   string
		whole *[]int
		parts *[]float64
		n     int
	}{
		{"split_feature", &t.feature, nil, leaves - 1}, {"decision_type", &t.decision, nil, leaves - 1},
		{"left_child", &t.left, nil, leaves - 1}, {"right_child", &t.right, nil, leaves - 1},
		{"threshold", nil, &t.threshold, leaves - 1}, {"leaf_value", nil, &t.value, leaves},
	} {
		fields := strings.Fields(s[x.key])
		if len(fields) != x.n {
			return nil, fmt.Errorf("%s has %d numbers for %d leaves", x.key, len(fields), leaves)
		}
		for _, text := range fields {
			if x.whole != nil {
				var n int
				n, err = strconv.Atoi(text)
				*x.whole = append(*x.whole, n)
			} else {
				var v float64
				v, err = strconv.ParseFloat(text, 64)
				*x.parts = append(*x.parts, v)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.key, err)
			}
		}
	}
	for i, d := range t.decision {
		if d&categorical != 0 {
			return nil, fmt.Errorf("split %d is categorical: features are numbers", i)
		}
	}
	return t, nil
}
