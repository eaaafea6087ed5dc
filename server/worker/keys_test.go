package worker

import (
	"errors"
	"strings"
	"testing"
)

const (
	hexKey    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	base64Key = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
)

func TestKeysAreReadAndAccepted(t *testing.T) {
	keys, err := ReadKeys(strings.NewReader("# the new one\n" + hexKey + "\n\n  " + base64Key + "  \n"))
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v; want 2", len(keys), err)
	}
	for _, header := range []string{"Bearer " + hexKey, "bearer " + base64Key} {
		if !keys.Accept(header) {
			t.Errorf("a key of the file was not accepted")
		}
	}
	for _, header := range []string{"", "Bearer", "Bearer ", hexKey, "Basic " + hexKey, "Bearer " + hexKey[1:], "Bearer  " + hexKey, "Bearer " + hexKey + " "} {
		if keys.Accept(header) {
			t.Errorf("a header of %d bytes was accepted that holds no key", len(header))
		}
	}
	if (Keys)(nil).Accept("Bearer " + hexKey) {
		t.Error("no keys accepted one")
	}
}

func TestWeakKeyFilesAreRefusedWithoutShowingThem(t *testing.T) {
	for name, file := range map[string]string{
		"empty":           "\n# nothing\n",
		"128 bits of hex": hexKey[:32],
		"a password":      "correct-horse-battery-staple",
		"a pattern":       strings.Repeat("abc", 40),
		"short base64":    base64Key[:42],
		"a space":         hexKey[:30] + " " + hexKey[30:],
		"one good, one weak": hexKey + "\n" +
			hexKey[:63],
		"a long line": strings.Repeat(hexKey, 40),
		"too many":    strings.Repeat(hexKey+"\n", 17),
	} {
		_, err := ReadKeys(strings.NewReader(file))
		if !errors.Is(err, ErrKeys) {
			t.Errorf("%s: got %v, want ErrKeys", name, err)
			continue
		}
		for _, line := range strings.Fields(file) {
			if len(line) > 8 && strings.Contains(err.Error(), line[:8]) {
				t.Errorf("%s: the error holds a part of the key", name)
			}
		}
	}
}

// Whatever a key file holds, it is refused or every key of it is accepted and strong.
func FuzzReadKeys(f *testing.F) {
	f.Add(hexKey + "\n" + base64Key)
	f.Add("# x\n\r\n" + strings.ToUpper(hexKey))
	f.Add("abc")
	f.Fuzz(func(t *testing.T, file string) {
		keys, err := ReadKeys(strings.NewReader(file))
		if err != nil {
			if keys != nil {
				t.Fatal("keys with an error")
			}
			return
		}
		if len(keys) < 1 || len(keys) > maxKeys {
			t.Fatalf("%d keys", len(keys))
		}
		accepted := 0
		for line := range strings.Lines(file) {
			key := strings.TrimSpace(line)
			if keys.Accept("Bearer " + key) {
				accepted++
				if bits, err := keyBits(key); err != nil || bits < minKeyBits {
					t.Fatalf("a key of %d bits was accepted", bits)
				}
			}
		}
		if accepted < len(keys) {
			t.Fatalf("%d of %d keys accepted", accepted, len(keys))
		}
	})
}
