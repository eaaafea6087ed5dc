package teacher

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Cache keeps vectors of texts in a folder, which is made when needed. A file's name is
// a hash of the model and the texts, so that a changed text is encoded anew. The zero
// Cache keeps nothing.
type Cache struct{ Dir string }

// Texts returns what [Teacher.Texts] would, from the folder if it is there.
func (c Cache) Texts(ctx context.Context, t *Teacher, texts []string, progress Progress) ([]float32, error) {
	if c.Dir == "" || len(texts) == 0 {
		return t.Texts(ctx, texts, progress)
	}
	path := filepath.Join(c.Dir, "vectors-"+Hash(t.Model(), texts)[:16]+".f32")
	vectors, err := readVectors(path, len(texts)*t.Dim())
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged) {
		return vectors, err
	}
	if vectors, err = t.Texts(ctx, texts, progress); err != nil {
		return nil, err
	}
	return vectors, writeVectors(path, vectors)
}

// Hash is 64 hexadecimal digits over the model and the texts, in their order.
func Hash(model string, texts []string) string {
	sum := sha256.New()
	for _, text := range append([]string{model}, texts...) {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		sum.Write(length[:])
		io.WriteString(sum, text)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// errDamaged: a file of the cache is not what was written. It is written anew.
var errDamaged = errors.New("teacher: file of the cache is damaged")

// A file is n float32, little endian, and the SHA-256 of their bytes.

func readVectors(path string, n int) ([]float32, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	if len(content) != 4*n+sha256.Size || sha256.Sum256(content[:4*n]) != [sha256.Size]byte(content[4*n:]) {
		return nil, fmt.Errorf("%w: %s", errDamaged, path)
	}
	vectors := make([]float32, n)
	for i := range vectors {
		vectors[i] = math.Float32frombits(binary.LittleEndian.Uint32(content[4*i:]))
	}
	return vectors, nil
}

func writeVectors(path string, vectors []float32) error {
	content := make([]byte, 0, 4*len(vectors)+sha256.Size)
	for _, x := range vectors {
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(x))
	}
	sum := sha256.Sum256(content)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	if err := os.WriteFile(path, append(content, sum[:]...), 0o644); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	return nil
}
