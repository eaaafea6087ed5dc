package soak

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is what a process holds, in MB, as Linux tells it.
type memory struct {
	own    float64 // its own pages: the Go heap, stacks, native memory
	mapped float64 // pages of files that it has mapped; the kernel takes them back when others need them
}

// memoryOf reads the memory of a process. False: this system does not tell.
func memoryOf(pid int) (m memory, ok bool) {
	text, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return m, false
	}
	own, okOwn := statusMB(string(text), "RssAnon:")
	mapped, okMapped := statusMB(string(text), "RssFile:")
	return memory{own, mapped}, okOwn && okMapped
}

// statusMB is a line of /proc/PID/status, which is in KiB.
func statusMB(text, name string) (mb float64, ok bool) {
	_, rest, ok := strings.Cut(text, "\n"+name)
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, false
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib * 1024 / 1e6, err == nil
}

// writtenBy is what a process has had written to disk, in MB; 0 where the system does not tell.
func writtenBy(pid int) float64 {
	text, err := os.ReadFile(procFile(pid, "io"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	line, _, _ := strings.Cut(rest, "\n")
	bytes, err := strconv.ParseFloat(line, 64)
	if err != nil {
		return 0
	}
	return bytes / 1e6
}

// tablesOf counts the descriptors of a process that are files in a folder. False: this system does not tell.
func tablesOf(pid int, dir string) (n int, ok bool) {
	names, err := os.ReadDir(procFile(pid, "fd"))
	if err != nil {
		return 0, false
	}
	for _, name := range names {
		file, err := os.Readlink(procFile(pid, "fd", name.Name()))
		if err == nil && strings.HasPrefix(file, dir+string(filepath.Separator)) { // else it was closed meanwhile
			n++
		}
	}
	return n, true
}

// sizeOf is how large the files below a folder are together, in MB. What goes away meanwhile does not count.
func sizeOf(dir string) (mb float64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // it is gone
		}
		if info, err := d.Info(); err == nil {
			mb += float64(info.Size()) / 1e6
		}
		return nil
	})
	return mb
}

func procFile(pid int, parts ...string) string {
	return filepath.Join(append([]string{"/proc", strconv.Itoa(pid)}, parts...)...)
}
