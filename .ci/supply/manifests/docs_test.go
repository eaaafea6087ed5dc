package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every code that the service's handlers give has its remedy in docs/errors.md.
func TestEveryCodeHasARemedy(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	code := regexp.MustCompile(`codes\.([A-Z][A-Za-z]+)`)
	for _, dir := range []string{"api", "auth"} {
		files, err := filepath.Glob("../../../server/" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(text), -1) {
				given[m[1]] = true
			}
		}
	}
	if !given["InvalidArgument"] || !given["ResourceExhausted"] {
		t.Fatalf("found %v alone: are the handlers elsewhere?", given)
	}
	word := regexp.MustCompile(`([a-z])([A-Z])`)
	for name := range given {
		if name == "OK" || name == "Code" {
			continue
		}
		if name = strings.ToUpper(word.ReplaceAllString(name, "${1}_$2")); !strings.Contains(string(doc), "| "+name) {
			t.Errorf("docs/errors.md has no line for %s", name)
		}
	}
}

// Commands in the guides are commands of the service, with flags that they have.
func TestCommandsInTheGuidesExist(t *testing.T) {
	kindred := binary(t)
	guides, err := filepath.Glob("../../../docs/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	help := map[string]string{}
	flag := regexp.MustCompile(`--[a-z][a-z-]*`)
	commands := 0
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			rest, ok := strings.CutPrefix(line, "    kindred ")
			if !ok {
				continue
			}
			rest, _, _ = strings.Cut(rest, " #")
			var words []string
			for _, w := range strings.Fields(rest) {
				if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" || len(words) == 2 {
					break
				}
				words = append(words, w)
			}
			name := strings.Join(words, " ")
			if _, asked := help[name]; !asked {
				out, err := exec.Command(kindred, append(words, "--help")...).Output()
				if err != nil {
					t.Errorf("%s: kindred %s --help: %v", filepath.Base(guide), name, err)
				}
				help[name] = string(out)
			}
			commands++
			for _, f := range flag.FindAllString(rest, -1) {
				if !strings.Contains(help[name], f) {
					t.Errorf("%s: kindred %s has no %s", filepath.Base(guide), name, f)
				}
			}
		}
	}
	if commands < 10 {
		t.Errorf("%d commands found: does the form of the guides differ?", commands)
	}
}
