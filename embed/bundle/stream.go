package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Stream writes the bundle as a tar archive: the manifest, then the payloads in its
// order. The bytes are the same each time.
func (b *Bundle) Stream(w io.Writer) error {
	m := b.manifest
	raw, err := m.seal()
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	if err := t.WriteHeader(header(ManifestFile, int64(len(raw)), m.Created)); err != nil {
		return err
	}
	if _, err := t.Write(raw); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := t.WriteHeader(header(f.Name, f.Size, m.Created)); err != nil {
			return err
		}
		if err := b.copy(t, f); err != nil {
			return named(b.dir, err)
		}
	}
	return t.Close()
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at, Format: tar.FormatPAX}
}

// Receive reads what Stream wrote and puts the bundle under a directory, as Write does.
// The archive must hold exactly what its manifest, which comes first, lists, in that
// order: there is no other way to name a place to write to, and its sizes are bounded
// before anything is read by them.
func Receive(root string, r io.Reader, l Limits) (*Bundle, error) {
	return receive(osDisk{}, root, r, l.withDefaults())
}

func receive(d disk, root string, r io.Reader, l Limits) (*Bundle, error) {
	// Headers and padding come on top of the payloads.
	const frame = maxManifest + maxFiles*16<<10
	bound := int64(math.MaxInt64)
	if l.Bytes < bound-frame {
		bound = l.Bytes + frame
	}
	t := tar.NewReader(io.LimitReader(r, bound))
	m, err := receiveManifest(t, l)
	if err != nil {
		return nil, fmt.Errorf("receiving a bundle: %w", err)
	}
	return place(d, root, l, func(w *builder) (*Manifest, error) {
		for _, want := range m.Files {
			h, err := next(t)
			if err != nil {
				return nil, err
			}
			if h == nil {
				return nil, damaged(ErrMissing, "%s, the archive ends before it", want.Name)
			}
			if h.Name != want.Name {
				return nil, damaged(ErrUnlisted, "%.80q comes where the manifest has %s", h.Name, want.Name)
			}
			if h.Size != want.Size {
				return nil, damaged(ErrSize, "%s has %d bytes, the manifest says %d", want.Name, h.Size, want.Size)
			}
			got, err := w.payload(want.Name, func(out io.Writer) error { _, err := io.Copy(out, t); return cut(err) })
			if err != nil {
				return nil, err
			}
			if got != want {
				return nil, damaged(ErrHash, "%s has %s, the manifest says %s", want.Name, Hash(got.SHA256).Short(), Hash(want.SHA256).Short())
			}
		}
		if h, err := next(t); h != nil || err != nil {
			return nil, errors.Join(err, damaged(ErrUnlisted, "more comes after the last file"))
		}
		return &m, nil
	})
}

func receiveManifest(t *tar.Reader, l Limits) (Manifest, error) {
	h, err := next(t)
	if err != nil {
		return Manifest{}, err
	}
	switch {
	case h == nil:
		return Manifest{}, damaged(ErrMissing, "%s, the archive is empty", ManifestFile)
	case h.Name != ManifestFile:
		return Manifest{}, damaged(ErrManifest, "the archive begins with %.80q, not with %s", h.Name, ManifestFile)
	case h.Size > maxManifest:
		return Manifest{}, fmt.Errorf("%w: the manifest has %d bytes, at most %d are taken", ErrLimit, h.Size, maxManifest)
	}
	raw, err := io.ReadAll(t)
	if err != nil {
		return Manifest{}, cut(err)
	}
	return parse(raw, l)
}

// next goes to the next file of an archive; nil at the end.
func next(t *tar.Reader) (*tar.Header, error) {
	h, err := t.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, cut(err)
	case h.Typeflag != tar.TypeReg:
		return nil, damaged(ErrUnlisted, "%.80q is no regular file", h.Name)
	}
	return h, nil
}

// cut names an archive that cannot be read for what it is. Errors of the reader beneath
// stay what they are.
func cut(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return damaged(ErrSize, "the archive is cut off")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrInsecurePath), errors.Is(err, tar.ErrFieldTooLong):
		return damaged(ErrUnlisted, "the archive is not one that Stream writes: %v", err)
	}
	return err
}
