package simulate

import "golang.org/x/sys/unix"

// peakRSS is the most memory that this process has held, in bytes.
func peakRSS() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Maxrss * 1024
}
