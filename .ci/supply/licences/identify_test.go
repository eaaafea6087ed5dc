package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	apache, err := os.ReadFile("../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	mit := []byte("MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this software and associated documentation files (the \"Software\")")
	bsd2 := "Redistribution and use in source and binary forms, with or without\n * modification, are permitted provided that"
	for _, tc := range []struct {
		name  string
		texts map[string][]byte
		want  string
	}{
		{"our own", map[string][]byte{"LICENSE": apache}, "Apache-2.0"},
		{"broken into lines", map[string][]byte{"LICENSE": mit}, "MIT"},
		{"two files", map[string][]byte{"LICENSE-MIT": mit, "LICENSE-APACHE": apache}, "Apache-2.0 MIT"},
		{"with stars of a comment", map[string][]byte{"LICENSE": []byte(bsd2)}, "BSD-2-Clause"},
		{"with the third clause", map[string][]byte{"LICENSE": []byte(bsd2 + " Neither the name of the author")}, "BSD-3-Clause"},
		{"copyleft in the second half of a file", map[string][]byte{"LICENSE": append(mit, " or the GNU General Public License"...)}, "GPL MIT"},
		{"words that are no licence", map[string][]byte{"LICENSE": []byte("ask me")}, "unknown"},
		{"a notice alone", map[string][]byte{"NOTICE": []byte("Copyright")}, "none"},
	} {
		if got := strings.Join(identify(tc.texts), " "); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// A licence that is not on the list fails, by the name of the module.
func TestLicenceThatIsNotAllowed(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte("MIT # a comment\nsigs.k8s.io/yaml unknown\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	allowed, err := readAllowed(list)
	if err != nil || len(allowed) != 2 || !allowed["MIT"] || !allowed["sigs.k8s.io/yaml unknown"] {
		t.Fatalf("read %v, %v", allowed, err)
	}
	modules, err := linked("..", []string{"sigs.k8s.io/yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(modules, func(m module) bool { return m.Path == "sigs.k8s.io/yaml" }) {
		t.Errorf("linked %v, want sigs.k8s.io/yaml among them", modules)
	}
	err = run(list, "", "..", []string{"sigs.k8s.io/yaml"})
	if err == nil || !strings.Contains(err.Error(), "is not on") {
		t.Errorf("got %v, want modules whose licence is not on the list", err)
	}
}
