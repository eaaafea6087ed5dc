package hnsw

import (
	"fmt"
	"os"

	"github.com/kindred-rec/kindred/index/internal/arena"
)

// CheckFile compares the checksum of a file that WriteFile wrote, without loading it. What is
// foreign, truncated or altered is index.ErrSnapshot.
func CheckFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := arena.MapPrivate(f)
	if err != nil {
		return err
	}
	if err := checkWhole(m.Data()); err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	return nil
}
