package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Open gives the source in a directory, or, for jsonl, csv and parquet, in a single file whose name begins with "items" or
// "events". It looks which files are there and reads none of them: what is wrong inside a file comes from the iterators.
func Open(format Format, path string, opts Options) (Source, error) {
	format, err := ParseFormat(string(format))
	if err != nil {
		return nil, err
	}
	if opts, err = opts.withDefaults(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dataset: %s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	switch format {
	case JSONL, CSV, Parquet:
		return openTables(format, path, info.IsDir(), opts)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("dataset: %s is a file; %s takes the directory that holds its files", path, format)
	}
	switch format {
	case Amazon:
		return openAmazon(path, opts)
	case Reviews:
		return openReviews(path, opts)
	case S3Rec:
		return openS3Rec(path, opts)
	case MovieLens:
		return openMovieLens(path, opts)
	case RecBole:
		return openRecBole(path, opts)
	}
	return nil, fmt.Errorf("dataset: %w %q", ErrUnknownFormat, format)
}

// openTables finds items and events of the formats that keep one file of each.
func openTables(format Format, path string, isDir bool, opts Options) (Source, error) {
	items, events, err := tablePaths(format, path, isDir, opts)
	if err != nil {
		return nil, err
	}
	switch format {
	case JSONL:
		return &jsonlSource{items, events, opts}, nil
	case CSV:
		return &csvSource{items, events, opts}, nil
	}
	return &parquetSource{items, events, opts}, nil
}

func tablePaths(format Format, path string, isDir bool, opts Options) (items, events string, err error) {
	if !isDir {
		switch name := filepath.Base(path); {
		case strings.HasPrefix(name, "items"):
			return path, "", nil
		case strings.HasPrefix(name, "events"):
			return "", path, nil
		}
		return "", "", fmt.Errorf("dataset: %s: a single file must have a name that begins with items or events, since that says what it holds; "+
			"or give its directory and set Options.ItemsFile or Options.EventsFile", path)
	}
	if items, err = findTable(path, opts.ItemsFile, "items."+string(format)); err != nil {
		return "", "", err
	}
	if events, err = findTable(path, opts.EventsFile, "events."+string(format)); err != nil {
		return "", "", err
	}
	if items == "" && events == "" {
		return "", "", fmt.Errorf("dataset: %s holds neither items.%s nor events.%s: %w", path, format, format, ErrNotFound)
	}
	return items, events, nil
}

// findTable finds a file that was named, or else one that may be there.
func findTable(dir, named, usual string) (string, error) {
	if named != "" {
		return find(dir, named)
	}
	return findOptional(dir, usual)
}

// packings are the endings that a file may carry when it is compressed.
var packings = []string{"", ".gz", ".zst"}

// find resolves a file of a directory, plain or compressed. Two of a kind are refused: which one is meant is not ours to guess.
func find(dir, name string) (string, error) {
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	var found []string
	for _, ending := range packings {
		if _, err := os.Stat(path + ending); err == nil {
			found = append(found, path+ending)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("dataset: %w", err)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("dataset: %s (or .gz, .zst): %w", path, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("dataset: %s and %s both exist: remove one", found[0], found[1])
}

// findOptional is find for a file that may be absent: then the path is empty.
func findOptional(dir, name string) (string, error) {
	path, err := find(dir, name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return path, err
}

func readDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}
