package openbandit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Policy is a folder of the dataset.
type Policy string

// The policies of the dataset.
const (
	Random   Policy = "random"
	Thompson Policy = "bts"
)

// ErrFolder: a folder does not have what the dataset has; the message says what is missing.
var ErrFolder = errors.New("openbandit: not the Open Bandit Dataset")

// Folder is a dataset on disk.
type Folder struct {
	dir string
	// Campaigns that are there, in the order all, men, women.
	Campaigns []string
}

// Open looks which campaigns there are. One that only one of the policies has is an error.
func Open(dir string) (*Folder, error) {
	f := &Folder{dir: dir}
	for _, campaign := range []string{"all", "men", "women"} {
		_, random := f.path(Random, campaign)
		_, thompson := f.path(Thompson, campaign)
		switch {
		case random == nil && thompson == nil:
			f.Campaigns = append(f.Campaigns, campaign)
		case random == nil:
			return nil, thompson
		case thompson == nil:
			return nil, random
		}
	}
	if len(f.Campaigns) == 0 {
		return nil, fmt.Errorf("%w: %s has no campaign; looked for random/men/men.csv and the like", ErrFolder, dir)
	}
	return f, nil
}

// path finds the file of a campaign.
func (f *Folder) path(policy Policy, campaign string) (string, error) {
	base := filepath.Join(f.dir, string(policy), campaign, campaign+".csv")
	for _, end := range []string{"", ".gz", ".zst"} {
		_, err := os.Stat(base + end)
		if err == nil {
			return base + end, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("openbandit: %w", err)
		}
	}
	return "", fmt.Errorf("%w: %s is missing, also with .gz or .zst", ErrFolder, base)
}

// Read reads the log of a policy.
func (f *Folder) Read(policy Policy, campaign string, o Options) (*Log, error) {
	path, err := f.path(policy, campaign)
	if err != nil {
		return nil, err
	}
	return ReadFile(path, o)
}
