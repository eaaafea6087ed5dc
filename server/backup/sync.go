package backup

import (
	"errors"
	"os"
	"runtime"
)

// syncDir makes new names in a directory outlive a power loss. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
