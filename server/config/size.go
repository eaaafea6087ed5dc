package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. As text it is a number and a unit: 512MiB, 1.5GiB, 64KiB,
// 100B. A number alone is bytes.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), 1.0
	for _, u := range sizeUnits {
		if cut, ok := cutSuffixFold(number, u.name); ok {
			number, unit = strings.TrimSpace(cut), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	bytes := n * unit
	if err != nil || math.IsNaN(bytes) || bytes < 0 || bytes >= math.MaxInt64 {
		return fmt.Errorf("%q is no size: give one such as 512MiB or 4GiB", text)
	}
	*s = Size(bytes)
	return nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// MarshalText implements encoding.TextMarshaler: the largest unit that is exact.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range sizeUnits {
		if n := int64(u.bytes); s != 0 && int64(s)%n == 0 {
			return fmt.Appendf(nil, "%d%s", int64(s)/n, u.name), nil
		}
	}
	return []byte("0"), nil
}

// String is the size as text.
func (s Size) String() string {
	text, _ := s.MarshalText() // it gives no error
	return string(text)
}
