package dataset

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxUnixSeconds is the end of the year 9999, the last time that RFC 3339 can write.
const maxUnixSeconds = 253402300799

// parseTime reads RFC 3339, or a number in the unit given. A fraction is kept down to the nanosecond that float64 can tell.
func parseTime(column, text string, unit TimeUnit) (time.Time, *RowError) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if unit == Milliseconds {
			return checkTime(column, text, time.UnixMilli(n).UTC(), n/1000)
		}
		return checkTime(column, text, time.Unix(n, 0).UTC(), n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if unit == Milliseconds {
			f /= 1000
		}
		if math.IsNaN(f) || f < 0 || f > maxUnixSeconds {
			return time.Time{}, bad(column, text, "time must lie between 1970 and 9999")
		}
		whole, part := math.Modf(f)
		return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, bad(column, text, "time must be RFC 3339, as 2006-01-02T15:04:05Z, or a unix time in %s", unit)
	}
	return t.UTC(), nil
}

// String names the unit as messages do.
func (u TimeUnit) String() string {
	if u == Milliseconds {
		return "milliseconds"
	}
	return "seconds"
}

func checkTime(column, text string, t time.Time, seconds int64) (time.Time, *RowError) {
	if seconds < 0 || seconds > maxUnixSeconds {
		return time.Time{}, bad(column, text, "time must lie between 1970 and 9999; if it is in milliseconds, set TimeUnit")
	}
	return t, nil
}

// parseNumber reads a finite number.
func parseNumber(column, text string) (float64, *RowError) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, bad(column, text, "must be a finite number")
	}
	return f, nil
}

// parsePrice reads a decimal exactly: no more than nine places after the point, no exponent, no thousands separator.
func parsePrice(column, text, currency string) (Price, *RowError) {
	if currency == "" {
		return Price{}, bad("currency", "", "must not be empty where there is a price; give the row one, or set Options.Currency")
	}
	if !isCurrency(currency) {
		return Price{}, bad("currency", currency, "must be three capital letters, as EUR")
	}
	whole, part, point := strings.Cut(text, ".")
	if !allDigits(whole) || whole == "" || len(part) > 9 || !allDigits(part) || point && part == "" {
		return Price{}, bad(column, text, "must be a plain decimal, 0 or more, with at most nine places, as 12.99")
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return Price{}, bad(column, text, "must not be beyond %d", int64(math.MaxInt64))
	}
	nanos, _ := strconv.ParseInt((part + "000000000")[:9], 10, 32) // nine digits: cannot fail
	return Price{Currency: currency, Units: units, Nanos: int32(nanos), Has: true}, nil
}

func allDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// parseBool reads true, false, 1 and 0.
func parseBool(column, text string) (bool, *RowError) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, bad(column, text, "must be true, false, 1 or 0")
}
