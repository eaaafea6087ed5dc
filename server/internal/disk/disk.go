// Package disk makes what was written last.
package disk

import (
	"errors"
	"os"
	"runtime"
)

// SyncDir makes new names in a directory outlive a power loss. Windows has no such call.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
