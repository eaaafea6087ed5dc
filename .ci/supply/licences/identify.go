package main

import (
	"strings"
)

// sentence is one that stands in a licence and nowhere else.
type sentence struct{ licence, text string }

// sentences are in small letters with single spaces. Licences that are on no list stand here
// too, so that a text of several names all of them.
var sentences = []sentence{
	{"Apache-2.0", "apache license version 2.0, january 2004"},
	{"Apache-2.0", `licensed under the apache license, version 2.0`},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted"},
	{"Zlib", "the origin of this software must not be misrepresented"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"CC0-1.0", "cc0 1.0 universal"},
	{"MPL-2.0", "mozilla public license"},
	{"EPL", "eclipse public license"},
	{"CDDL", "common development and distribution license"},
	{"AGPL", "gnu affero general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"GPL", "gnu general public license"},
	{"SSPL", "server side public license"},
	{"BUSL", "business source license"},
	{"Commons-Clause", "commons clause"},
}

const (
	bsd      = "redistribution and use in source and binary forms, with or without modification, are permitted"
	bsdName  = "neither the name of"
	bsdNames = "may not be used to endorse or promote products derived from"
	bsdAds   = "all advertising materials mentioning features"
)

// identify names the licences of a module's texts, by SPDX identifier where they may be
// allowed; "none" without a text, "unknown" for a text that is none of them.
func identify(texts map[string][]byte) []string {
	names := map[string]bool{}
	for file, text := range texts {
		if strings.HasPrefix(strings.ToUpper(file), "NOTICE") {
			continue // goes with the texts, and is no licence
		}
		found := identifyText(string(text))
		if len(found) == 0 {
			names["unknown"] = true
		}
		for _, name := range found {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return []string{"none"}
	}
	return sorted(names)
}

func identifyText(text string) []string {
	text = strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r == ' ' || r == '\n' || r == '\r' || r == '\t' || r == '*' || r == '#' || r == '/'
	}), " ")
	names := map[string]bool{}
	for _, s := range sentences {
		if strings.Contains(text, s.text) {
			names[s.licence] = true
		}
	}
	if strings.Contains(text, bsd) {
		switch {
		case strings.Contains(text, bsdAds):
			names["BSD-4-Clause"] = true
		case strings.Contains(text, bsdName) || strings.Contains(text, bsdNames):
			names["BSD-3-Clause"] = true
		default:
			names["BSD-2-Clause"] = true
		}
	}
	return sorted(names)
}
