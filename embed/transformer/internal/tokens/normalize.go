package tokens

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is cut.
type normalizer func(string) string

// parseNormalizer reads the normalizer of a Unigram model; none leaves texts alone.
func parseNormalizer(raw json.RawMessage) (normalizer, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return func(s string) string { return s }, nil
	}
	var n struct {
		Type     string            `json:"type"`
		Steps    []json.RawMessage `json:"normalizers"`
		CharsMap string            `json:"precompiled_charsmap"`
		Content  string            `json:"content"`
		Pattern  struct {
			String *string `json:"String"`
			Regex  *string `json:"Regex"`
		} `json:"pattern"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, bad("normalizer: %w", err)
	}
	switch n.Type {
	case "Sequence":
		return parseNormalizers(n.Steps)
	case "Precompiled":
		return parseCharsMap(n.CharsMap)
	case "NFC":
		return norm.NFC.String, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	case "Lowercase":
		return strings.ToLower, nil
	case "Replace":
		switch {
		case n.Pattern.String != nil && *n.Pattern.String != "":
			return func(s string) string { return strings.ReplaceAll(s, *n.Pattern.String, n.Content) }, nil
		case n.Pattern.Regex != nil && *n.Pattern.Regex == " {2,}":
			spaces := regexp.MustCompile(" {2,}")
			return func(s string) string { return spaces.ReplaceAllLiteralString(s, n.Content) }, nil
		}
	}
	return nil, unsupported("normalizer of a Unigram model is of type %.40q, or replaces by a pattern", n.Type)
}

func parseNormalizers(raw []json.RawMessage) (normalizer, error) {
	var steps []normalizer
	for _, one := range raw {
		step, err := parseNormalizer(one)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return func(s string) string {
		for _, step := range steps {
			s = step(s)
		}
		return s
	}, nil
}

// charsMap is SentencePiece's table of what characters are written as: a double array
// that finds a character's bytes, and the texts that they become.
type charsMap struct {
	units []uint32
	texts string
}

// maxMapped is the most bytes of a cluster of characters that is looked up as a whole.
const maxMapped = 5

func parseCharsMap(text string) (normalizer, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, bad("normalizer: precompiled_charsmap: %w", err)
	}
	if len(raw) < 4 {
		return nil, bad("normalizer: precompiled_charsmap has %d bytes", len(raw))
	}
	size := int64(binary.LittleEndian.Uint32(raw))
	if size%4 != 0 || size < 4 || size > int64(len(raw)-4) {
		return nil, bad("normalizer: precompiled_charsmap: a table of %d bytes in %d", size, len(raw)-4)
	}
	m := &charsMap{texts: string(raw[4+size:])}
	for i := int64(4); i < 4+size; i += 4 {
		m.units = append(m.units, binary.LittleEndian.Uint32(raw[i:]))
	}
	return m.rewrite, nil
}

// rewrite replaces what the table has, cluster by cluster or else character by
// character, as the reference does.
func (m *charsMap) rewrite(text string) string {
	var b strings.Builder
	state := -1
	for len(text) > 0 {
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if len(cluster) <= maxMapped {
			if to, ok := m.find(cluster); ok {
				b.WriteString(to)
				continue
			}
		}
		for _, r := range cluster {
			one := string(r)
			if to, ok := m.find(one); ok {
				one = to
			}
			b.WriteString(one)
		}
	}
	return b.String()
}

// find looks for the shortest beginning of a key that the table has.
func (m *charsMap) find(key string) (string, bool) {
	at := offset(m.units[0])
	for i := range len(key) {
		c := uint32(key[i])
		at ^= c
		if c == 0 || int64(at) >= int64(len(m.units)) {
			return "", false
		}
		unit := m.units[at]
		if unit&(1<<31|0xff) != c {
			return "", false
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if int64(at) >= int64(len(m.units)) {
			return "", false
		}
		first := m.units[at] &^ (1 << 31)
		if int64(first) > int64(len(m.texts)) {
			return "", false
		}
		to, _, _ := strings.Cut(m.texts[first:], "\x00")
		return to, true
	}
	return "", false
}

// offset is how far a unit's children lie from it.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
