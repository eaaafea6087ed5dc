package load

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is where the client runs, as a figure is worth nothing without it.
type Machine struct {
	Cores      int    `json:"cores"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPU        string `json:"cpu,omitempty"`
	// Shared says that server and client share the machine: the address is one of its own.
	Shared bool `json:"server_shares_machine"`
	// Load is how many processes wanted a core over the minute before the run, as Linux counts them: above 0, others were
	// at work and the figures hold for less than the machine. 0 elsewhere.
	Load float64 `json:"load_average"`
}

// MachineFor gives the facts for a run against an address.
func MachineFor(addr string) Machine {
	return Machine{Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Go: runtime.Version(), OS: runtime.GOOS,
		Arch: runtime.GOARCH, CPU: processorName(), Shared: isLocal(addr), Load: loadAverage()}
}

// processorName is the model that Linux names; empty elsewhere.
func processorName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// isLocal says whether the host of an address is this machine. A name that does not resolve is not.
func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		own = nil
	}
	for _, ip := range ips {
		if ip.IsLoopback() {
			return true
		}
		for _, a := range own {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

// usage measures the processor time of this process from one moment on.
type usage struct {
	start time.Time
	used  time.Duration
}

func startUsage() usage { return usage{time.Now(), processorTime()} }

// cores is how many cores were busy with this process since, on average.
func (u usage) cores() float64 {
	return (processorTime() - u.used).Seconds() / time.Since(u.start).Seconds()
}

// ProcessorTime is what this process has used of all cores so far. 0 where the system does not say.
func ProcessorTime() time.Duration { return processorTime() }
