package auth

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	idBytes     = 10 // 16 characters
	secretBytes = 32 // 256 bits, 52 characters
)

// mint draws a handle and a secret. crypto/rand never fails.
func mint() (id, secret string) {
	var raw [idBytes]byte
	rand.Read(raw[:])
	id = alphabet.EncodeToString(raw[:])
	return id, mintFor(id)
}

// mintFor draws a secret for a handle.
func mintFor(id string) string {
	var raw [secretBytes]byte
	rand.Read(raw[:])
	return "kd_" + id + "_" + alphabet.EncodeToString(raw[:])
}

// handle returns the public part of a secret.
func handle(secret string) (string, bool) {
	rest, ok := strings.CutPrefix(secret, "kd_")
	if !ok {
		return "", false
	}
	id, random, ok := strings.Cut(rest, "_")
	return id, ok && len(id) == 16 && len(random) == 52
}
