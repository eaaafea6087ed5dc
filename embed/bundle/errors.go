package bundle

import "errors"

// Errors of this package, wrapped with what happened. All kinds of damage are ErrDamaged
// too.
var (
	// ErrNotFound: there is no bundle at this path.
	ErrNotFound = errors.New("no bundle")
	// ErrNewer: a newer release wrote it in a form that this one does not read.
	ErrNewer = errors.New("bundle of a newer format")
	// ErrLimit: it is larger than is taken.
	ErrLimit = errors.New("bundle too large")
	// ErrInvalid: what is to be written is malformed, such as a name or a number.
	ErrInvalid = errors.New("bundle not valid")
	// ErrDiskFull: the disk had no room; nothing of the bundle was left.
	ErrDiskFull = errors.New("no space left on the disk")

	// ErrDamaged: it is not what was written. One of the kinds below says how.
	ErrDamaged = errors.New("bundle damaged")
	// ErrManifest: the manifest cannot be read, or says what cannot be.
	ErrManifest = errors.New("manifest not readable")
	// ErrMissing: a file of the manifest is not there.
	ErrMissing = errors.New("file missing")
	// ErrUnlisted: there is something that the manifest does not list.
	ErrUnlisted = errors.New("file not in the manifest")
	// ErrSize: a file is shorter or longer than the manifest says.
	ErrSize = errors.New("file of another size")
	// ErrHash: the bytes of a file, or the manifest's, have another hash.
	ErrHash = errors.New("hash does not match")
)
