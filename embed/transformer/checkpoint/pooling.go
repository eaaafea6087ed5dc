package checkpoint

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Pooling says how the vectors of a text's tokens become the text's vector.
type Pooling string

// The ways of pooling. PoolingUnset takes what the model's files say.
const (
	PoolingUnset Pooling = ""
	Mean         Pooling = "mean" // of all tokens, special ones included
	CLS          Pooling = "cls"  // the first token's
	Last         Pooling = "last" // the last token's
)

// ParsePooling reads the content of a 1_Pooling/config.json.
func ParsePooling(content []byte) (Pooling, error) {
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &raw); err != nil {
		return PoolingUnset, fmt.Errorf("%w: 1_Pooling/config.json: %w", ErrFormat, err)
	}
	known := map[string]Pooling{"pooling_mode_mean_tokens": Mean, "pooling_mode_cls_token": CLS, "pooling_mode_lasttoken": Last}
	var chosen []string
	pooling := PoolingUnset
	for name, value := range raw {
		on := string(value) == "true"
		if !strings.HasPrefix(name, "pooling_mode_") || !on {
			continue
		}
		chosen = append(chosen, name)
		pooling = known[name]
	}
	if text, ok := raw["pooling_mode"]; ok && len(chosen) == 0 { // as newer versions write it
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return PoolingUnset, fmt.Errorf("%w: 1_Pooling/config.json: pooling_mode: %w", ErrFormat, err)
		}
		chosen, pooling = []string{name}, map[string]Pooling{"mean": Mean, "cls": CLS, "lasttoken": Last}[name]
	}
	switch {
	case len(chosen) == 0:
		return PoolingUnset, fmt.Errorf("%w: 1_Pooling/config.json chooses no pooling mode", ErrFormat)
	case len(chosen) > 1 || pooling == PoolingUnset:
		return PoolingUnset, fmt.Errorf("%w: 1_Pooling/config.json chooses %.200s; one of mean, cls and lasttoken is computed", ErrUnsupported, strings.Join(chosen, ", "))
	}
	return pooling, nil
}

// module is one line of modules.json.
type module struct {
	Path string `json:"path"`
	Type string `json:"type"`
}

// ParseModules reads the content of a modules.json and returns the folder of the
// pooling's settings. A model with other steps than the transformer, a pooling and
// the scaling to unit length is [ErrUnsupported].
func ParseModules(content []byte) (poolingDir string, err error) {
	var modules []module
	if err := json.Unmarshal(content, &modules); err != nil {
		return "", fmt.Errorf("%w: modules.json: %w", ErrFormat, err)
	}
	for i, m := range modules {
		kind := m.Type[strings.LastIndex(m.Type, ".")+1:]
		switch {
		case kind == "Transformer" && i == 0:
			if m.Path != "" {
				return "", fmt.Errorf("%w: modules.json: the transformer lies in the folder %.80q; only the model's own folder is read", ErrUnsupported, m.Path)
			}
		case kind == "Pooling" && i == 1:
			poolingDir = m.Path
		case kind == "Normalize" && i == 2: // vectors are scaled to unit length in any case
		default:
			return "", fmt.Errorf("%w: modules.json: step %d is %.80q; Transformer, Pooling, Normalize are computed, in this order", ErrUnsupported, i+1, m.Type)
		}
	}
	if poolingDir == "" {
		return "", fmt.Errorf("%w: modules.json has no Pooling step after the Transformer", ErrFormat)
	}
	return poolingDir, nil
}
