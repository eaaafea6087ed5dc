package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Open gives the source in a directory, or, for jsonl, csv and parquet, in a single file whose name begins with "items" or
// "events". It looks which files are there and reads none of them: what is wrong inside a file comes from the iterators.
func Open(format Format, path string, opts Options) (Source, error) {
	if _, err := ParseFormat(string(format)); err != nil {
		return nil, err
	}
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dataset: %s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	_ = info
	switch format {
	case Amazon:
		return openAmazon(path, opts)
	case S3Rec:
		return openS3Rec(path, opts)
	case MovieLens:
		return openMovieLens(path, opts)
	}
	return nil, fmt.Errorf("dataset: %w %q", ErrUnknownFormat, format)
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
