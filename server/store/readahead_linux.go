package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// noReadahead tells the kernel that the mapping of a file is not read in order, which keeps
// the pages of a log that grows small. Badger maps its logs and writes them from front to
// back; the kernel takes that for a reader, reads ahead, and where the file system has large
// folios (XFS, ext4 since Linux 6.16) makes ever larger ones, up to 2 MiB. A sync then
// writes the whole of the folio for the few bytes that are new in it: a thousand syncs a
// second wrote .3 to 1.9 GB. Where there is no such mapping nothing is done, and no error.
func noReadahead(path string) error {
	var file unix.Stat_t
	if err := unix.Stat(path, &file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	name, lines := "/"+filepath.Base(path), bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to, offset uintptr
		var rights, device string
		var inode uint64
		if !strings.HasSuffix(lines.Text(), name) {
			continue
		}
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s %x %s %d", &from, &to, &rights, &offset, &device, &inode); err != nil || inode != file.Ino {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_RANDOM); errno != 0 {
			return fmt.Errorf("advising on the mapping of %s: %w", path, errno)
		}
	}
	return lines.Err()
}
