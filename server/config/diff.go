package config

// Change is a setting that differs between two loads.
type Change struct {
	Name     string
	From, To string // stars where it is a secret
	// Reload reports whether it takes effect without a restart.
	Reload bool
}

// Diff is what changed from one set of settings to another of the same command, in the
// order of the flags. Kong has applied both.
func Diff(from, to *Settings) []Change {
	var list []Change
	for _, f := range to.flags {
		was := from.flag(f.Name)
		if was == nil || f.Name == FileFlag {
			continue
		}
		a, b := textOf(was.Target), textOf(f.Target)
		if a == b {
			continue
		}
		list = append(list, Change{f.Name, shownText(was, a), shownText(f, b), f.Tag.Has("reload")})
	}
	return list
}
