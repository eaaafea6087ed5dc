package catalog

import "strings"

// PathSeparator stands between the levels of a category path.
const PathSeparator = " > "

// badLevel returns the first level of a category path that is empty or has
// white space around it, and false; or true when there is none.
func badLevel(path string) (level string, ok bool) {
	for level := range strings.SplitSeq(path, PathSeparator) {
		if level == "" || strings.TrimSpace(level) != level {
			return level, false
		}
	}
	return "", true
}

// expandPath calls emit for what a category path makes an item belong to: every
// prefix from the root to the whole path, then the leaf alone. "Office > Paper"
// gives "Office", "Office > Paper" and "Paper". A path of one level gives
// itself twice; the caller drops repetitions.
func expandPath(path string, emit func(name string)) {
	leaf := 0 // where the last level starts
	for {
		level, _, more := strings.Cut(path[leaf:], PathSeparator)
		emit(path[:leaf+len(level)])
		if !more {
			emit(level)
			return
		}
		leaf += len(level) + len(PathSeparator)
	}
}
