// Command licences checks that the licence of every module that is linked into a binary is
// allowed, and gathers their texts, which most licences ask to be handed out with it.
//
//	licences --allow licences.txt --out dist/THIRD_PARTY --root . ./server ./loadtest
//
// The modules are those of `go list -deps` for every platform that is released, tests apart.
// What a text is, its own unmistakable sentences say (identify.go). The list has an SPDX identifier a line; a line "module SPDX" allows
// that licence for one module alone, such as one whose text is not recognized ("unknown")
// and was read by a person. Everything else fails, by name.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	allow := flag.String("allow", "", "file of licences that are allowed")
	out := flag.String("out", "", "folder for the texts; empty for none")
	root := flag.String("root", ".", "folder of the module")
	flag.Parse()
	if err := run(*allow, *out, *root, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(allow, out, root string, packages []string) error {
	allowed, err := readAllowed(allow)
	if err != nil {
		return err
	}
	modules, err := linked(root, packages)
	if err != nil {
		return err
	}
	var faults []error
	count := map[string]int{}
	for _, m := range modules {
		texts, err := licenceFiles(m.Dir)
		if err != nil {
			return err
		}
		names := identify(texts)
		for _, name := range names {
			count[name]++
			if !allowed[name] && !allowed[m.Path+" "+name] {
				faults = append(faults, fmt.Errorf("%s %s is under %s, which is not on %s", m.Path, m.Version, name, allow))
			}
		}
		if out != "" {
			if err := gather(filepath.Join(out, m.Path), texts); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d modules:", len(modules))
	for _, name := range sorted(count) {
		fmt.Printf(" %s %d", name, count[name])
	}
	fmt.Println()
	return errors.Join(faults...)
}

// readAllowed reads the list; "#" begins a comment.
func readAllowed(path string) (map[string]bool, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	allowed := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			allowed[strings.Join(fields, " ")] = true
		}
	}
	return allowed, nil
}

type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

// platforms are those that are released: what is linked in depends on them.
var platforms = [][]string{
	{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}, {"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1"},
	{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"},
}

// linked returns the modules that packages are built from, our own apart, by path.
func linked(root string, packages []string) ([]module, error) {
	byPath := map[string]module{}
	for _, platform := range platforms {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Module"}, packages...)...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), platform...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		raw, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %v: %w: %s", platform, err, stderr.String())
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		for {
			var p struct{ Module *module }
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if m := p.Module; m != nil && !m.Main {
				if m.Replace != nil {
					m = m.Replace
				}
				byPath[m.Path] = *m
			}
		}
	}
	if len(byPath) == 0 {
		return nil, fmt.Errorf("%v are built from no module: wrong folder %q?", packages, root)
	}
	var modules []module
	for _, path := range sorted(byPath) {
		modules = append(modules, byPath[path])
	}
	return modules, nil
}

// licenceFiles reads the texts at the top of a module, by name.
func licenceFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		if texts[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// gather copies the texts.
func gather(dir string, texts map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
