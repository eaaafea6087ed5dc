package record

import "errors"

var (
	// ErrNotFound: the named tenant, item, profile, key or list does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists: a tenant, or a key, of that name exists already.
	ErrExists = errors.New("already exists")
	// ErrConflict: the id was used before with other content; the first stands.
	ErrConflict = errors.New("id already used with other content")
	// ErrExpired: the event is older than the retention, so that a duplicate of
	// it could not be recognised.
	ErrExpired = errors.New("older than the retention")
	// ErrInvalid: the value is malformed (missing id, text that is not UTF-8, a
	// mutation without or with several changes).
	ErrInvalid = errors.New("invalid")
	// ErrLimit: a configured bound of the tenant is reached (items, users).
	ErrLimit = errors.New("limit reached")
	// ErrOverloaded: a queue is full; nothing was done, retry later.
	ErrOverloaded = errors.New("overloaded")
	// ErrDiskFull: the disk refused the write; nothing was acknowledged.
	ErrDiskFull = errors.New("no space left on the disk")
	// ErrStopped: a write failed, and the store takes no more until it is opened
	// again; reads go on, but for ErrUnreadable.
	ErrStopped = errors.New("the store takes no more writes until the service is started again, since one failed; its log has the cause")
	// ErrUnreadable: after a write that failed so that nothing can be read either.
	ErrUnreadable = errors.New("the store cannot be read until the service is started again, since a write failed; its log has the cause")
	// ErrClosed: the store is shut.
	ErrClosed = errors.New("closed")
	// ErrCorrupt: a stored value fails its checksum or cannot be read.
	ErrCorrupt = errors.New("corrupt value")
	// ErrNewer: a later release wrote it, in a form that this one does not know.
	ErrNewer = errors.New("made by a newer release")
	// ErrHeld: another process has the store open.
	ErrHeld = errors.New("held by another process")
)
