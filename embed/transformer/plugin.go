package transformer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// PluginEnv is the variable that names a PJRT plugin, or a folder with plugins.
const PluginEnv = "KINDRED_PJRT"

// pluginNames are what the plugin of a backend may be called.
func pluginNames(b Backend) []string {
	kind := map[Backend]string{XLACPU: "cpu", XLACUDA: "cuda"}[b]
	suffix := ".so"
	switch runtime.GOOS {
	case "darwin":
		suffix = ".dylib"
	case "windows":
		suffix = ".dll"
	}
	names := []string{"pjrt_c_api_" + kind + "_plugin" + suffix, "pjrt_plugin_" + kind + suffix, "libpjrt_c_api_" + kind + "_plugin" + suffix}
	if b == XLACUDA {
		names = append(names, "xla_cuda_plugin"+suffix)
	}
	return names
}

// pluginDirs are the folders that are looked in, in this order.
func pluginDirs() (dirs []string) {
	if named := os.Getenv(PluginEnv); named != "" {
		dirs = append(dirs, named)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "kindred", "pjrt"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".local", "lib", "go-xla"))
	}
	return append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib", "/usr/lib")
}

// FindPlugin returns the path of the PJRT plugin for [XLACPU] or [XLACUDA]: the file
// that $KINDRED_PJRT names, or else a file with a plugin's usual name in the folder
// that it names, in kindred/pjrt of the user's cache, or where such libraries usually
// lie, in folders of these too. Nothing is ever downloaded. The error wraps [ErrBackend]
// and says where it looked.
func FindPlugin(b Backend) (string, error) {
	names := pluginNames(b)
	named := os.Getenv(PluginEnv)
	if stat, err := os.Stat(named); named != "" && err == nil && !stat.IsDir() {
		if !slices.Contains(names, filepath.Base(named)) && slices.Contains(pluginNames(otherXLA(b)), filepath.Base(named)) {
			return "", fmt.Errorf("%w: %s is %s, the plugin of %s", ErrBackend, PluginEnv, named, otherXLA(b))
		}
		return named, nil
	} else if named != "" && errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s is %s, which is not there", ErrBackend, PluginEnv, named)
	}
	for _, dir := range pluginDirs() {
		for _, name := range names {
			for _, pattern := range []string{filepath.Join(dir, name), filepath.Join(dir, "*", name)} {
				if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
					return found[0], nil
				}
			}
		}
	}
	return "", fmt.Errorf("%w: no PJRT plugin for %s (%s) in %v; set %s to its path, or run embed/transformer/install-plugin.sh %s", ErrBackend, b, names[0], pluginDirs(), PluginEnv,
		strings.TrimPrefix(string(b), "xla:"))
}

func otherXLA(b Backend) Backend {
	if b == XLACPU {
		return XLACUDA
	}
	return XLACPU
}
