package catalog

import (
	"fmt"
	"strings"
)

// PathSeparator stands between the levels of a category path.
const PathSeparator = " > "

// expandPath calls emit for what a category path makes an item belong to: every
// prefix from the root to the whole path, then the leaf alone. "Office > Paper"
// gives "Office", "Office > Paper" and "Paper". A path of one level gives
// itself twice; the caller drops repetitions.
func expandPath(path string, emit func(name string) error) error {
	rest := path
	end := 0 // of the prefix that is complete
	leaf := path
	for {
		level, after, more := strings.Cut(rest, PathSeparator)
		if strings.TrimSpace(level) != level || level == "" {
			return fmt.Errorf("%w: category path %q has level %q; write levels that are not empty, with %q between them",
				ErrInvalid, path, level, PathSeparator)
		}
		end += len(level)
		if err := emit(path[:end]); err != nil {
			return err
		}
		leaf = level
		if !more {
			return emit(leaf)
		}
		end += len(PathSeparator)
		rest = after
	}
}
