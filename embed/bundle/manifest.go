package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is the version of the form that this release writes, and the newest it reads.
const Format = 1

// Hash names a bundle: 64 lower-case hexadecimal digits, a SHA-256. Empty: none.
type Hash string

// ParseHash checks a hash.
func ParseHash(s string) (Hash, error) {
	if len(s) != 2*sha256.Size || strings.Trim(s, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.70q is no bundle's hash: give 64 hexadecimal digits: %w", s, ErrInvalid)
	}
	return Hash(s), nil
}

// Short is the first 12 digits, for people.
func (h Hash) Short() string { return string(h[:min(12, len(h))]) }

// Manifest says what a bundle holds and where it comes from.
type Manifest struct {
	Format int  `json:"format"`
	Hash   Hash `json:"hash"`
	// Created is to the second, UTC.
	Created time.Time `json:"created"`
	// Parent is the bundle that training went on from. Empty: none.
	Parent Hash `json:"parent,omitempty"`
	// TextEncoder is whose vectors the model reads: embed.Info of the encoder. A service
	// with another one must refuse the bundle.
	TextEncoder Space `json:"text_encoder"`
	// BehaviourDim is the dimension of user and item vectors. 0: there is no behaviour
	// encoder.
	BehaviourDim int         `json:"behaviour_dim"`
	Data         DataRange   `json:"data"`
	Code         Code        `json:"code"`
	Parameters   []Parameter `json:"parameters,omitempty"`
	Metrics      []Metric    `json:"metrics,omitempty"`
	// Files are the payloads, by name. Write fills it.
	Files []File `json:"files"`
}

// Space names a space of vectors.
type Space struct {
	Name string `json:"name"`
	Dim  int    `json:"dim"`
}

// DataRange says what a model was trained on.
type DataRange struct {
	// First and Last are the times of the earliest and the latest event. Zero: unknown.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// LogHead is the sequence of the log up to which events were read. 0: not from a log.
	LogHead uint64 `json:"log_head,omitempty"`
	Users   int64  `json:"users"`
	Items   int64  `json:"items"`
	Events  int64  `json:"events"`
	// SetAside are events that were read and not trained on, such as those of bots.
	SetAside int64 `json:"set_aside"`
}

// Parameter is one setting of the training, such as "layers" "2".
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Metric is one figure, such as ndcg_at_10 on the part "test".
type Metric struct {
	Name  string  `json:"name"`
	Part  string  `json:"part"`
	Value float64 `json:"value"`
	Seed  uint64  `json:"seed"`
}

// File is a payload.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all payloads.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// File returns the payload of a name.
func (m *Manifest) File(name string) (File, bool) {
	i, ok := slices.BinarySearchFunc(m.Files, name, func(f File, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return File{}, false
	}
	return m.Files[i], true
}

// Bounds of a manifest.
const (
	maxManifest   = 1 << 20 // bytes
	maxFiles      = 64
	maxParameters = 1024
	maxMetrics    = 4096
	maxText       = 512 // bytes of a name or value
	maxDim        = 1 << 14
)

// Limits bounds what is written, read and received. Zero fields take the default named.
type Limits struct {
	// Bytes bounds the payloads of a bundle in all. Default 4 GiB.
	Bytes int64
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 4 << 30
	}
	return l
}

// normalize gives times the one form in which they are written.
func (m *Manifest) normalize() {
	for _, t := range []*time.Time{&m.Created, &m.Data.First, &m.Data.Last} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Second)
		}
	}
}

// seal computes the hash and returns the manifest's bytes.
func (m *Manifest) seal() ([]byte, error) {
	open := *m
	open.Hash = ""
	raw, err := json.MarshalIndent(open, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	sum := sha256.Sum256(raw)
	m.Hash = Hash(hex.EncodeToString(sum[:]))
	raw, err = json.MarshalIndent(m, "", "  ")
	return append(raw, '\n'), err
}

// parse reads a manifest. It must be, byte for byte, what would be written for what it
// says, so that nothing in it is without effect.
func parse(raw []byte, l Limits) (Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return Manifest{}, damaged(ErrManifest, "%v", err)
	}
	if version.Format > Format {
		return Manifest{}, fmt.Errorf("%w: it has format %d, this release reads %d: use a newer release", ErrNewer, version.Format, Format)
	}
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, damaged(ErrManifest, "%v", err)
	}
	if err := m.validate(l); err != nil {
		return Manifest{}, err
	}
	again := m
	sealed, err := again.seal()
	if err != nil {
		return Manifest{}, err
	}
	if again.Hash != m.Hash || !bytes.Equal(sealed, raw) {
		return Manifest{}, damaged(ErrHash, "the manifest says %s, its content is %s", m.Hash.Short(), again.Hash.Short())
	}
	return m, nil
}

// validate checks everything but the hash.
func (m *Manifest) validate(l Limits) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n := m.Bytes(); n > l.Bytes {
		return fmt.Errorf("%w: its files have %d bytes, at most %d are taken", ErrLimit, n, l.Bytes)
	}
	return nil
}

// check reports the first fault.
func (m *Manifest) check() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrManifest}, args...)...)
	}
	switch {
	case m.Format != Format:
		return fault("format %d is none", m.Format)
	case m.Created.IsZero() || m.Created.Year() > 9999:
		return fault("the time of creation %v is none", m.Created)
	case m.TextEncoder.Dim < 0 || m.TextEncoder.Dim > maxDim || m.BehaviourDim < 0 || m.BehaviourDim > maxDim:
		return fault("dimensions %d and %d must lie in 0 to %d", m.TextEncoder.Dim, m.BehaviourDim, maxDim)
	case len(m.Files) > maxFiles || len(m.Parameters) > maxParameters || len(m.Metrics) > maxMetrics:
		return fault("%d files, %d parameters and %d metrics: at most %d, %d and %d are taken",
			len(m.Files), len(m.Parameters), len(m.Metrics), maxFiles, maxParameters, maxMetrics)
	case m.Data.Users < 0 || m.Data.Items < 0 || m.Data.Events < 0 || m.Data.SetAside < 0:
		return fault("a count of the data is below 0")
	}
	if m.Parent != "" {
		if _, err := ParseHash(string(m.Parent)); err != nil {
			return fault("parent: %v", err)
		}
	}
	if err := m.checkTexts(); err != nil {
		return fault("%v", err)
	}
	if err := checkFiles(m.Files); err != nil {
		return fault("%v", err)
	}
	return nil
}

func (m *Manifest) checkTexts() error {
	texts := []string{m.TextEncoder.Name, m.Code.Module, m.Code.Version, m.Code.Revision, m.Code.Go}
	for _, p := range m.Parameters {
		texts = append(texts, p.Name, p.Value)
	}
	for _, x := range m.Metrics {
		texts = append(texts, x.Name, x.Part)
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			return fmt.Errorf("metric %q of %q is %v: give a finite number", x.Name, x.Part, x.Value)
		}
	}
	for _, t := range texts {
		if len(t) > maxText || !utf8.ValidString(t) {
			return fmt.Errorf("%.40q has %d bytes, at most %d of UTF-8 are taken", t, len(t), maxText)
		}
	}
	return nil
}

// checkFiles checks names, order, sizes and the form of hashes.
func checkFiles(files []File) error {
	var total int64
	for i, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if i > 0 && files[i-1].Name >= f.Name {
			return fmt.Errorf("files are not in the order of their names at %q", f.Name)
		}
		if f.Size < 0 || f.Size > math.MaxInt64-total {
			return fmt.Errorf("file %q has %d bytes", f.Name, f.Size)
		}
		total += f.Size
		if _, err := ParseHash(f.SHA256); err != nil {
			return fmt.Errorf("file %q: %w", f.Name, err)
		}
	}
	return nil
}

// damaged makes the error of a kind of damage.
func damaged(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %w: "+format, append([]any{ErrDamaged, kind}, args...)...)
}
