package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kindred-rec/kindred/server/store/internal/badgerlog"
)

// asideName is the folder of the store's directory in which copies of damaged files are kept.
const asideName = "damaged"

// setAside copies a file into a folder of this second, and returns the copy's path.
func (i *inspection) setAside(name string) (string, error) {
	dir := filepath.Join(i.dir, asideName, time.Now().UTC().Format("20060102T150405Z"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(dir, name)
	in, err := os.Open(filepath.Join(i.dir, name))
	if err != nil {
		return "", err
	}
	defer in.Close() // read only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", err
	}
	return to, syncDirectory(dir)
}

// mend writes the damaged logs anew, with every row that can be read.
func (i *inspection) mend() error {
	for _, d := range i.damage {
		aside, err := i.setAside(d.File)
		if err != nil {
			return err
		}
		var saved []byte
		rows := 0
		if err := mapped(filepath.Join(i.dir, d.File), func(b []byte) { saved, rows = badgerlog.Save(b, i.synced) }); err != nil {
			return err
		}
		if err := i.replace(d.File, saved); err != nil {
			return err
		}
		i.o.Logger.Error("store: opened without what cannot be read", "damage", d.String(), "rows_saved_behind", rows, "copy", aside)
	}
	// What it promises is not all there.
	if err := os.Remove(filepath.Join(i.dir, syncedName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDirectory(i.dir)
}

// replace puts content in the place of a file, whole or not at all.
func (i *inspection) replace(name string, content []byte) error {
	path := filepath.Join(i.dir, name)
	temporary := path + ".mended"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store: writing %s: %w", temporary, err)
	}
	return os.Rename(temporary, path)
}
