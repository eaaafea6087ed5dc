//go:build unix

package plan

import (
	"io/fs"
	"syscall"
)

// allocated is what a file takes on disk: files with holes take less than their length.
func allocated(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
