package plan

import (
	"io/fs"
	"path/filepath"
)

// diskOf is what the files below a folder take on disk, bytes.
func diskOf(dir string) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		bytes += float64(allocated(info))
		return nil
	})
	return bytes, err
}
