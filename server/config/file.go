package config

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file: one that is larger is some other file.
const maxFile = 1 << 20

// readFile notes what the file sets. Errors join all its mistakes.
func (s *Settings) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the file of settings: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("the file of settings: %w", err)
	}
	if len(text) > maxFile {
		return fmt.Errorf("the file of settings: %s is larger than %s, which no settings are", path, Size(maxFile))
	}
	return s.readYAML(path, text)
}

func (s *Settings) readYAML(path string, text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil // empty, or comments alone
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: is no mapping: give lines such as `grpc: 127.0.0.1:50051`", path, root.Line)
	}
	var faults []error
	first := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		place := fmt.Sprintf("%s:%d", path, key.Line)
		if line, twice := first[key.Value]; twice {
			faults = append(faults, fmt.Errorf("%s: %s stands in line %d already: give it once", place, key.Value, line))
			continue
		}
		first[key.Value] = key.Line
		faults = append(faults, s.takeNode(place, key.Value, value))
	}
	return errors.Join(faults...)
}

// takeNode notes one line of the file.
func (s *Settings) takeNode(place, name string, value *yaml.Node) error {
	f := s.flag(name)
	if f == nil || name == FileFlag {
		return s.unknown(place, name)
	}
	text, err := nodeText(value)
	if err != nil {
		return fmt.Errorf("%s: %s %w", place, name, err)
	}
	return s.take(f, given{File, text, place})
}

// unknown names the nearest key that there is.
func (s *Settings) unknown(place, name string) error {
	var names []string
	for _, f := range s.flags {
		if f.Name != FileFlag {
			names = append(names, f.Name)
		}
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("%s: %s is no setting: did you mean %s?", place, name, near)
	}
	return fmt.Errorf("%s: %s is no setting: `config example` lists all", place, name)
}

// nodeText is a value of the file as a flag would say it.
func nodeText(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", errors.New(`has no value: give one, "" for none, or leave the line out`)
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, part := range n.Content {
			if part.Kind != yaml.ScalarNode {
				return "", errors.New("holds more than words: give a list of words")
			}
			parts[i] = part.Value
		}
		return kong.JoinEscaped(parts, ','), nil
	}
	return "", errors.New("is a mapping: settings do not nest")
}
