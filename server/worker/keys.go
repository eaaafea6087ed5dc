package worker

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ErrKeys is wrapped by errors about a key file. None of them holds a part of a key.
var ErrKeys = errors.New("key file cannot be used")

const (
	minKeyBits  = 256
	maxKeys     = 16
	maxKeyBytes = 1024
	// A random key of enough bits has more different characters than this; one that
	// somebody typed may not.
	minDifferent = 8
)

// Keys are the keys that a worker accepts, as their SHA-256: they are random and long, so
// that there is nothing to guess. Nil accepts none.
type Keys [][sha256.Size]byte

// ReadKeyFile reads the keys of a file.
func ReadKeyFile(path string) (Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	defer f.Close()
	keys, err := ReadKeys(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// ReadKeys reads keys, one a line: 256 random bits at least, as hex, base32 or base64, such as
// `openssl rand -hex 32` prints. Empty lines and those that begin with # are passed over.
func ReadKeys(r io.Reader) (Keys, error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxKeys*(maxKeyBytes+2)+1<<14))
	lines.Buffer(nil, maxKeyBytes)
	var keys Keys
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if bits, err := keyBits(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrKeys, n, err)
		} else if bits < minKeyBits {
			return nil, fmt.Errorf("%w: line %d: %d characters hold %d bits at most, want %d: make one with `openssl rand -hex 32`",
				ErrKeys, n, len(line), bits, minKeyBits)
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("%w: more than %d keys", ErrKeys, maxKeys)
		}
		keys = append(keys, sha256.Sum256([]byte(line)))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: a line of more than %d bytes, or not readable: %w", ErrKeys, maxKeyBytes, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: it holds no key: make one with `openssl rand -hex 32`", ErrKeys)
	}
	return keys, nil
}

// keyBits is how many random bits a key can hold, by the alphabet that it seems to be
// written in.
func keyBits(key string) (int, error) {
	hex, base32 := true, true
	var seen [256]bool
	different := 0
	for _, c := range []byte(key) {
		digit := c >= '0' && c <= '9'
		lower := c >= 'a' && c <= 'z'
		upper := c >= 'A' && c <= 'Z'
		if !digit && !lower && !upper && !strings.ContainsRune("-._~+/=", rune(c)) {
			return 0, errors.New("a character that a bearer token may not have: use hex, base32 or base64")
		}
		hex = hex && (digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F')
		base32 = base32 && (digit || lower || c == '=')
		if !seen[c] {
			seen[c], different = true, different+1
		}
	}
	if different < minDifferent {
		return 0, fmt.Errorf("only %d different characters: it is not random", different)
	}
	length := len(strings.TrimRight(key, "="))
	switch {
	case hex:
		return 4 * length, nil
	case base32 || key == strings.ToUpper(key):
		return 5 * length, nil
	}
	return 6 * length, nil
}

// Accept reports whether the value of an "authorization" header holds one of the keys. Its
// time depends on the length of the header alone.
func (k Keys) Accept(header string) bool {
	scheme, secret, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return false
	}
	hash := sha256.Sum256([]byte(secret))
	found := 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(hash[:], k[i][:])
	}
	return found == 1
}

// gate lets in calls that bear a key, and health checks; all calls if there are no keys.
type gate struct{ keys Keys }

func (g gate) admit(ctx context.Context, method string) error {
	if g.keys == nil || method == healthpb.Health_Check_FullMethodName || method == healthpb.Health_Watch_FullMethodName {
		return nil
	}
	switch values := metadata.ValueFromIncomingContext(ctx, "authorization"); {
	case len(values) == 0:
		return status.Error(codes.Unauthenticated, "no key: send metadata \"authorization: Bearer KEY\"")
	case len(values) > 1:
		return status.Error(codes.Unauthenticated, "more than one authorization header: send one")
	case !g.keys.Accept(values[0]):
		return status.Error(codes.Unauthenticated, "the key is not one of this worker's")
	}
	return nil
}

func (g gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (g gate) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.admit(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, ss)
}
