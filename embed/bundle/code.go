package bundle

import "runtime/debug"

// Code says which program trained a model.
type Code struct {
	Module   string `json:"module,omitempty"`
	Version  string `json:"version,omitempty"`
	Revision string `json:"revision,omitempty"` // of its source; empty: unknown
	Modified bool   `json:"modified,omitempty"` // the source had changes beside the revision
	Go       string `json:"go,omitempty"`
}

// ThisBuild is the program that runs.
func ThisBuild() Code {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Code{}
	}
	c := Code{Module: info.Main.Path, Version: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			c.Revision = s.Value
		case "vcs.modified":
			c.Modified = s.Value == "true"
		}
	}
	return c
}
