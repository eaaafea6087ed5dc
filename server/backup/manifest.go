package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/kindred-rec/kindred/server/store"
)

// Format is the version of the directory's form. Those before are read: 1 had no audit log.
const Format = 2

var (
	// ErrDamaged: a file is missing, changed, or not what the manifest says.
	ErrDamaged = errors.New("damaged backup")
	// ErrFull: the backup cannot add to the one before; take a full one.
	ErrFull = errors.New("a full backup is needed")
)

// Manifest describes one backup.
type Manifest struct {
	Format int `json:"format"`
	// Number counts the backups of a directory from 1.
	Number int `json:"number"`
	// Full: it adds to none.
	Full bool `json:"full"`
	// Previous is the checksum of the manifest before. Empty: there is none.
	Previous string `json:"previous,omitempty"`
	// Time is the moment that the rows are of.
	Time time.Time `json:"time"`
	// Epoch and Version name that moment in the store.
	Epoch   uint64 `json:"epoch,string"`
	Version uint64 `json:"version"`
	// Schema is the form of the rows.
	Schema  uint32             `json:"schema"`
	Tenants []store.TenantHead `json:"tenants"`
	Rows    int64              `json:"rows"`
	Files   []File             `json:"files"`
	Bundles []Bundle           `json:"bundles"`
	// Audit are the files of the audit log, under the backup's folder. Empty: it was not
	// there, or the format is 1.
	Audit []File `json:"audit,omitempty"`
	// Checksum is the SHA-256 of the manifest without this line.
	Checksum string `json:"checksum,omitempty"`
}

// File is a file of rows.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Bundle is a trained model.
type Bundle struct {
	Name string `json:"name"` // number of the tenant, "/", hash
	File File   `json:"file"` // under DIR/bundles
}

// Point is the moment, for the next backup.
func (m *Manifest) Point() store.Point {
	return store.Point{Epoch: m.Epoch, Version: m.Version, Time: m.Time}
}

// Bytes is the size of the rows.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

const (
	manifestFile = "manifest.json"
	bundlesDir   = "bundles"
	auditDir     = "audit"
	unfinished   = "unfinished"
)

func folder(dir string, number int) string { return filepath.Join(dir, fmt.Sprintf("%04d", number)) }

// sum is the checksum of a manifest.
func (m Manifest) sum() (string, error) {
	m.Checksum = ""
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:]), nil
}

func (m *Manifest) write(dir string) error {
	var err error
	if m.Checksum, err = m.sum(); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, manifestFile), m)
}

func readManifest(dir string, number int) (*Manifest, error) {
	path := filepath.Join(folder(dir, number), manifestFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("backup: %w: %w", ErrDamaged, err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("backup: %s: %w: %w", path, ErrDamaged, err)
	}
	if m.Format > Format {
		return nil, fmt.Errorf("backup: %s has format %d, this release reads up to %d: use a later one", path, m.Format, Format)
	}
	sum, err := m.sum()
	if err != nil {
		return nil, err
	}
	if sum != m.Checksum || m.Number != number {
		return nil, fmt.Errorf("backup: %s is not what was written: %w", path, ErrDamaged)
	}
	return m, nil
}

var numbered = regexp.MustCompile(`^[0-9]{4,}$`)

// Read returns the manifests of a directory by number, checked, each against the one
// before. Those in front may have been removed. None: there is no directory, or it is empty.
func Read(dir string) ([]*Manifest, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	var list []*Manifest
	for _, e := range entries { // by name, which is by number up to 9,999
		if !numbered.MatchString(e.Name()) {
			continue
		}
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		m, err := readManifest(dir, number)
		if err != nil {
			return nil, err
		}
		if n := len(list); n > 0 && list[n-1].Number != number-1 {
			return nil, fmt.Errorf("backup: backup %d is missing in %s, which %d follows: bring it back, or move %d and those after it away: %w",
				number-1, dir, number, number, ErrDamaged)
		}
		if n := len(list); n > 0 && list[n-1].Checksum != m.Previous {
			return nil, fmt.Errorf("backup: %s does not follow backup %d: %w", folder(dir, number), list[n-1].Number, ErrDamaged)
		}
		list = append(list, m)
	}
	return list, nil
}

// Verify reads every file that manifests name and compares the checksums. progress, if
// not nil, is told of bytes read. All faults are in the error, each a line.
func Verify(dir string, list []*Manifest, progress func(bytes int64)) error {
	var faults []error
	seen := make(map[string]bool)
	check := func(folder string, f File) {
		path := filepath.Join(folder, f.Name)
		if seen[path] {
			return
		}
		seen[path] = true
		if err := verifyFile(path, f, progress); err != nil {
			faults = append(faults, err)
		}
	}
	for _, m := range list {
		for _, f := range m.Files {
			check(folder(dir, m.Number), f)
		}
		for _, b := range m.Bundles {
			check(filepath.Join(dir, bundlesDir), b.File)
		}
		for _, f := range m.Audit {
			check(filepath.Join(folder(dir, m.Number), auditDir), f)
		}
	}
	return errors.Join(faults...)
}

func verifyFile(path string, want File, progress func(int64)) error {
	got, err := sumFile(path, progress)
	if err != nil {
		return fmt.Errorf("backup: %w: %w", ErrDamaged, err)
	}
	if got.Size != want.Size {
		return fmt.Errorf("backup: %s has %d bytes, its manifest says %d: %w", path, got.Size, want.Size, ErrDamaged)
	}
	if got.SHA256 != want.SHA256 {
		return fmt.Errorf("backup: the checksum of %s is not the manifest's: %w", path, ErrDamaged)
	}
	return nil
}

// sumFile describes a file.
func sumFile(path string, progress func(int64)) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	var to io.Writer = h
	if progress != nil {
		to = io.MultiWriter(h, counter(progress))
	}
	n, err := io.Copy(to, f)
	return File{filepath.Base(path), n, hex.EncodeToString(h.Sum(nil))}, err
}

// counter tells of bytes.
type counter func(int64)

func (c counter) Write(p []byte) (int, error) { c(int64(len(p))); return len(p), nil }
